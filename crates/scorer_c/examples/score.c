/*
 * Forecasts one order: score BUNDLE [feature=value ...]
 *
 * BUNDLE is the folder of a published model (`longhaul models export --to BUNDLE`). A feature that is
 * not given is missing. Without any, it says which there are.
 *
 * To compile and run it, from the root of the repository:
 *
 *     cargo build --release -p scorer_c
 *     cc -std=c99 -Wall -o score crates/scorer_c/examples/score.c -Icrates/scorer_c/include \
 *         -Ltarget/release -llonghaul_scorer -Wl,-rpath,"$PWD/target/release"
 *     ./score BUNDLE distance_km=850 destination_region=SP
 *
 * For a program without the shared library, link target/release/liblonghaul_scorer.a -lm -lpthread -ldl.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "longhaul.h"

static int failed(const char *what) {
    fprintf(stderr, "%s: %s\n", what, longhaul_last_error());
    return 1;
}

/* Puts the value of a "feature=value" into the row. */
static int set(const longhaul_model *model, char *argument, float *row) {
    char *value = strchr(argument, '=');
    char *end;
    size_t position;

    if (value == NULL) {
        fprintf(stderr, "%s: expected feature=value\n", argument);
        return 1;
    }
    *value++ = '\0';
    if (longhaul_feature_position(model, argument, &position) != LONGHAUL_STATUS_OK)
        return failed(argument);
    if (longhaul_level_count(model, position) > 0) {
        if (longhaul_level_code(model, position, value, &row[position]) != LONGHAUL_STATUS_OK)
            return failed(argument);
        return 0;
    }
    row[position] = strtof(value, &end);
    if (end == value || *end != '\0') {
        fprintf(stderr, "%s: expected a number, found %s\n", argument, value);
        return 1;
    }
    return 0;
}

static void print_features(const longhaul_model *model) {
    size_t position;

    for (position = 0; position < longhaul_feature_count(model); position++) {
        size_t n_levels = longhaul_level_count(model, position);
        printf("feature %s", longhaul_feature_name(model, position));
        if (n_levels > 0)
            printf(" of %lu levels, the first is %s", (unsigned long)n_levels,
                   longhaul_level(model, position, 0));
        printf("\n");
    }
}

/* Nine digits give each float back as it is. */
static void print_forecast(const longhaul_model *model, const longhaul_forecast *forecast) {
    size_t i;

    printf("over two days %.9g\n", forecast->probability_over_2d);
    for (i = 0; i < LONGHAUL_LEVELS; i++)
        printf("hours %g %.9g\n", longhaul_quantile_level(i), forecast->hours[i]);
    for (i = 0; i < LONGHAUL_DAYS; i++)
        printf("within %u days %.9g\n", longhaul_day(model, i), forecast->probability_by_day[i]);
}

int main(int argc, char **argv) {
    longhaul_model *model = NULL;
    longhaul_forecast forecast;
    float *row;
    size_t n, i;
    int at, is_failed = 0;

    if (argc < 2 || longhaul_abi_version() != LONGHAUL_ABI_VERSION) {
        fprintf(stderr, "score BUNDLE [feature=value ...]\n");
        return 2;
    }
    if (longhaul_load(argv[1], &model) != LONGHAUL_STATUS_OK)
        return failed("load");
    printf("model %s\n", longhaul_model_id(model));
    n = longhaul_feature_count(model);
    row = malloc((n > 0 ? n : 1) * sizeof *row);
    if (row == NULL) {
        longhaul_free(model);
        return 1;
    }
    for (i = 0; i < n; i++)
        row[i] = NAN;
    for (at = 2; at < argc && !is_failed; at++)
        is_failed = set(model, argv[at], row);
    if (argc == 2)
        print_features(model);
    else if (!is_failed && longhaul_score_row(model, row, n, &forecast) != LONGHAUL_STATUS_OK)
        is_failed = failed("score");
    else if (!is_failed)
        print_forecast(model, &forecast);
    free(row);
    longhaul_free(model);
    return is_failed;
}
