/*
 * Says how fast a lane delivers: speed TABLE [column=value ...] [within=hours ...]
 *
 * TABLE is a file that `longhaul speed` has written. The columns are origin_zone, origin_region,
 * destination_zone, destination_region, carrier, service and weight_g; one that is not given is not known.
 *
 * To compile and run it, from the root of the repository:
 *
 *     cargo build --release -p scorer_c
 *     cc -std=c99 -Wall -o speed crates/scorer_c/examples/speed.c -Icrates/scorer_c/include \
 *         -Ltarget/release -llonghaul_scorer -Wl,-rpath,"$PWD/target/release"
 *     ./speed TABLE destination_zone=22041 weight_g=800 within=72
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "longhaul.h"

static int failed(const char *what) {
    fprintf(stderr, "%s: %s\n", what, longhaul_last_error());
    return 1;
}

static int number(const char *text, double *to) {
    char *end;

    *to = strtod(text, &end);
    if (end != text && *end == '\0')
        return 0;
    fprintf(stderr, "expected a number, found %s\n", text);
    return 1;
}

/* Puts the value of a "column=value" into the lane. */
static int set(longhaul_lane *lane, const char *argument) {
    const struct {
        const char *name;
        const char **value;
    } columns[] = {
        {"origin_zone=", &lane->origin_zone},
        {"origin_region=", &lane->origin_region},
        {"destination_zone=", &lane->destination_zone},
        {"destination_region=", &lane->destination_region},
        {"carrier=", &lane->carrier},
        {"service=", &lane->service},
    };
    size_t i;
    double weight_g;

    for (i = 0; i < sizeof columns / sizeof *columns; i++)
        if (strncmp(argument, columns[i].name, strlen(columns[i].name)) == 0) {
            *columns[i].value = argument + strlen(columns[i].name);
            return 0;
        }
    if (strncmp(argument, "weight_g=", 9) == 0 && number(argument + 9, &weight_g) == 0) {
        lane->weight_g = (float)weight_g;
        return 0;
    }
    fprintf(stderr, "%s: expected column=value\n", argument);
    return 1;
}

/* Nine digits give each float back as it is, seventeen each double. */
static int print(const longhaul_lane_speed *speed, int argc, char **argv) {
    double hours;
    size_t i;
    int at;

    printf("by %s\n", longhaul_grouping_name(speed->grouping));
    printf("shipments %lu\n", (unsigned long)speed->n_shipments);
    printf("over two days %.9g\n", speed->probability_over_2d);
    for (i = 0; i < LONGHAUL_LEVELS; i++)
        printf("hours %g %.9g\n", longhaul_quantile_level(i), speed->hours[i]);
    for (i = 0; i < LONGHAUL_DAYS; i++)
        printf("by day %lu %.9g\n", (unsigned long)(speed->step_days * (i + 1)),
               speed->probability_by_day[i]);
    for (at = 2; at < argc; at++)
        if (strncmp(argv[at], "within=", 7) == 0) {
            if (number(argv[at] + 7, &hours) != 0)
                return 1;
            printf("within %g hours %.17g\n", hours, longhaul_probability_within(speed, hours));
        }
    return 0;
}

int main(int argc, char **argv) {
    longhaul_speed_table *table = NULL;
    longhaul_lane lane = {0};
    longhaul_lane_speed speed;
    int at, is_failed = 0;

    if (argc < 2 || longhaul_abi_version() != LONGHAUL_ABI_VERSION) {
        fprintf(stderr, "speed TABLE [column=value ...] [within=hours ...]\n");
        return 2;
    }
    if (longhaul_speed_table_open(argv[1], &table) != LONGHAUL_STATUS_OK)
        return failed("open");
    /* Once after it was fetched: this reads all of it. */
    if (longhaul_speed_table_verify(table) != LONGHAUL_STATUS_OK)
        is_failed = failed("verify");
    for (at = 2; at < argc && !is_failed; at++)
        if (strncmp(argv[at], "within=", 7) != 0)
            is_failed = set(&lane, argv[at]);
    if (!is_failed && longhaul_lookup(table, &lane, &speed) != LONGHAUL_STATUS_OK)
        is_failed = failed("lookup");
    if (!is_failed) {
        printf("model %s, %lu rows\n", longhaul_speed_table_model_id(table),
               (unsigned long)longhaul_speed_table_row_count(table));
        is_failed = print(&speed, argc, argv);
    }
    longhaul_speed_table_free(table);
    return is_failed;
}
