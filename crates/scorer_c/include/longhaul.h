/*
 * longhaul: forecasts of delivery time by a published model, in the caller's process.
 *
 *     longhaul_model *model = NULL;
 *     if (longhaul_load("bundle", &model) != LONGHAUL_STATUS_OK) {
 *         fprintf(stderr, "%s\n", longhaul_last_error());
 *         return 1;
 *     }
 *     longhaul_forecast forecast;
 *     if (longhaul_score_row(model, row, n_features, &forecast) == LONGHAUL_STATUS_OK)
 *         printf("median %.1f hours\n", forecast.hours[LONGHAUL_MEDIAN]);
 *     longhaul_free(model);
 *
 * Rows. A row has a float for each feature of the model, in the model's order (longhaul_feature_name,
 * longhaul_feature_position). Numbers are themselves, categories the code of their level
 * (longhaul_level_code), missing values NaN.
 *
 * Lanes. The speed table of lanes (longhaul_speed_table_open) says how fast a lane delivers without a
 * model: longhaul_lookup.
 *
 * Errors. What can fail returns a longhaul_status. A call that is refused writes nothing, and
 * longhaul_last_error says in words what was expected and what was found. No function ends the process
 * or unwinds into the caller.
 *
 * Threads. A model or table is never changed: any number of threads may use one at once, until one of
 * them frees it. Nothing here starts a thread. Scoring and lookups allocate nothing.
 *
 * Ownership. Texts belong to the model or table (or, longhaul_last_error, to the thread): do not free
 * them.
 */


#ifndef LONGHAUL_H
#define LONGHAUL_H

/* Generated from crates/scorer_c/src by `make header`: change it there. */

#include <stddef.h>
#include <stdint.h>

/**
 * Changes whenever a program that was compiled with an older header would misread this library.
 */
#define LONGHAUL_ABI_VERSION 1

/**
 * How many quantiles a forecast has.
 */
#define LONGHAUL_LEVELS 9

/**
 * Where the median is among them.
 */
#define LONGHAUL_MEDIAN 4

/**
 * For how many days a forecast has a probability.
 */
#define LONGHAUL_DAYS 60

/**
 * How many groupings of rows a speed table has.
 */
#define LONGHAUL_GROUPINGS 13

/**
 * How a call ended.
 */
typedef enum {
    /**
     * As it should.
     */
    LONGHAUL_STATUS_OK = 0,
    /**
     * A pointer is null, or not aligned as its type needs it.
     */
    LONGHAUL_STATUS_INVALID_POINTER = 1,
    /**
     * A row has not one value for each feature, or so many values that they cannot be in memory.
     */
    LONGHAUL_STATUS_INVALID_LENGTH = 2,
    /**
     * A text is not UTF-8.
     */
    LONGHAUL_STATUS_INVALID_TEXT = 3,
    /**
     * There is no such feature, or it has no levels.
     */
    LONGHAUL_STATUS_UNKNOWN_FEATURE = 4,
    /**
     * The model cannot be loaded: a file is missing, altered, or of another version.
     */
    LONGHAUL_STATUS_INVALID_MODEL = 5,
    /**
     * A fault in longhaul itself; the model may still be used.
     */
    LONGHAUL_STATUS_PANIC = 6,
    /**
     * The speed table cannot be opened: the file is missing, cut off, altered, or of another version.
     */
    LONGHAUL_STATUS_INVALID_SPEED_TABLE = 7,
} longhaul_status;

/**
 * A model that is loaded.
 */
typedef struct longhaul_model longhaul_model;

/**
 * A speed table that is open.
 */
typedef struct longhaul_speed_table longhaul_speed_table;

/**
 * A file of a bundle in memory.
 */
typedef struct {
    /**
     * Its name within the bundle, such as "features.json".
     */
    const char *name;
    /**
     * Its bytes, which are not needed after the call.
     */
    const uint8_t *bytes;
    /**
     * How many.
     */
    size_t size;
} longhaul_file;

/**
 * A forecast of the delivery time of one row.
 */
typedef struct {
    /**
     * The probability that delivery takes more than two days from the order.
     */
    float probability_over_2d;
    /**
     * Quantiles of delivery time, in hours from the order, ascending; longhaul_quantile_level has their
     * levels.
     */
    float hours[LONGHAUL_LEVELS];
    /**
     * The probability of delivery within so many days from the order, never descending; longhaul_day
     * has the days.
     */
    float probability_by_day[LONGHAUL_DAYS];
} longhaul_forecast;

/**
 * What is known of the lane of a shipment. Texts are in UTF-8 and end in NUL; NULL is not known, or not
 * recorded by the shop.
 */
typedef struct {
    /**
     * Postal prefix of the origin.
     */
    const char *origin_zone;
    /**
     * Region of the origin.
     */
    const char *origin_region;
    /**
     * Postal prefix of the destination.
     */
    const char *destination_zone;
    /**
     * Region of the destination.
     */
    const char *destination_region;
    /**
     * Who carries it.
     */
    const char *carrier;
    /**
     * The carrier's service.
     */
    const char *service;
    /**
     * In grams; 0 and NaN are not known.
     */
    float weight_g;
} longhaul_lane;

/**
 * How fast a lane delivers.
 */
typedef struct {
    /**
     * By which columns the row is grouped: longhaul_grouping_name has their names. 0 is the finest,
     * LONGHAUL_GROUPINGS - 1 is of all shipments.
     */
    uint32_t grouping;
    /**
     * Of how many shipments the row is.
     */
    uint32_t n_shipments;
    /**
     * Days from one probability by day to the next: 1, unless the network's deliveries take months.
     */
    uint32_t step_days;
    /**
     * The probability that delivery takes more than two days from the order.
     */
    float probability_over_2d;
    /**
     * Quantiles of delivery time, in hours from the order, ascending; longhaul_quantile_level has their
     * levels.
     */
    float hours[LONGHAUL_LEVELS];
    /**
     * The probability of delivery within step_days, twice step_days and so on from the order, never
     * descending; rounded by at most 0.000008.
     */
    float probability_by_day[LONGHAUL_DAYS];
} longhaul_lane_speed;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * LONGHAUL_ABI_VERSION of this library. A program that loads it while it runs compares it with the one
 * of its header.
 */
uint32_t longhaul_abi_version(void);

/**
 * Loads the model in a folder that holds a published bundle. The files that score are read and held to
 * the digests in its manifest; other files are not touched.
 *
 * `folder`: the path, in UTF-8. `out`: where the model is written, to be freed by longhaul_free.
 *
 * # Safety
 * `folder` is NULL or a text that ends in NUL; `out` is NULL or memory for a pointer.
 */
longhaul_status longhaul_load(const char *folder,
                              longhaul_model **out);

/**
 * Loads a model from files in memory: features.json, gate.bin, mixture.json, regressor_0.bin and those
 * that follow; others are ignored. Nothing is held to a manifest, so the id is a digest of these files.
 *
 * `out`: where the model is written, to be freed by longhaul_free.
 *
 * # Safety
 * `files` is NULL or points to `n_files` files, whose names end in NUL and whose bytes are there;
 * `out` is NULL or memory for a pointer.
 */
longhaul_status longhaul_load_files(const longhaul_file *files,
                                    size_t n_files,
                                    longhaul_model **out);

/**
 * Frees a model, and all texts that belong to it. NULL is allowed.
 *
 * # Safety
 * `model` is NULL or was written by longhaul_load or longhaul_load_files, is freed for the first time,
 * and no other thread uses it.
 */
void longhaul_free(longhaul_model *model);

/**
 * The model's id, by which `longhaul models` knows it. NULL if `model` is.
 *
 * # Safety
 * `model` is NULL or a model that is loaded.
 */
const char *longhaul_model_id(const longhaul_model *model);

/**
 * What was wrong at the last call of this thread that failed: one line in UTF-8, empty if none has.
 * It is valid until the next call of this thread that fails.
 */
const char *longhaul_last_error(void);

/**
 * How many features a row has; 0 if `model` is NULL.
 *
 * # Safety
 * `model` is NULL or a model that is loaded.
 */
size_t longhaul_feature_count(const longhaul_model *model);

/**
 * The name of the feature at a position of a row, in UTF-8; NULL if there is none.
 *
 * # Safety
 * `model` is NULL or a model that is loaded.
 */
const char *longhaul_feature_name(const longhaul_model *model, size_t position);

/**
 * Where the feature called `name` is in a row. LONGHAUL_STATUS_UNKNOWN_FEATURE if the model has none
 * of this name.
 *
 * # Safety
 * `model` is NULL or a model that is loaded; `name` is NULL or a text that ends in NUL; `out` is NULL
 * or memory for a number.
 */
longhaul_status longhaul_feature_position(const longhaul_model *model,
                                          const char *name,
                                          size_t *out);

/**
 * How many levels the feature at a position has: 0 if it is a number, or there is none.
 *
 * # Safety
 * `model` is NULL or a model that is loaded.
 */
size_t longhaul_level_count(const longhaul_model *model, size_t position);

/**
 * The level that a code stands for, of the feature at a position, in UTF-8; NULL if there is none.
 *
 * # Safety
 * `model` is NULL or a model that is loaded.
 */
const char *longhaul_level(const longhaul_model *model, size_t position, size_t code);

/**
 * The code of a level of the feature at a position: what a row has in its place. It is NaN, a missing
 * value, if training has not seen the level. LONGHAUL_STATUS_UNKNOWN_FEATURE if the feature is a
 * number, or there is none.
 *
 * # Safety
 * `model` is NULL or a model that is loaded; `level` is NULL or a text that ends in NUL; `out` is NULL
 * or memory for a number.
 */
longhaul_status longhaul_level_code(const longhaul_model *model,
                                    size_t position,
                                    const char *level,
                                    float *out);

/**
 * The level of a quantile of a forecast, by its position: 0.05, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9,
 * 0.95; NaN past the last one.
 */
double longhaul_quantile_level(size_t position);

/**
 * The days within which a forecast's probability at a position is of delivery; 0 if there is none.
 * They are 1 to LONGHAUL_DAYS, unless the model is of a network whose deliveries take months.
 *
 * # Safety
 * `model` is NULL or a model that is loaded.
 */
uint32_t longhaul_day(const longhaul_model *model, size_t position);

/**
 * The forecast of one row of `n_features` values.
 *
 * # Safety
 * `model` is NULL or a model that is loaded; `row` is NULL or points to `n_features` values; `out` is
 * NULL or memory for a forecast.
 */
longhaul_status longhaul_score_row(const longhaul_model *model,
                                   const float *row,
                                   size_t n_features,
                                   longhaul_forecast *out);

/**
 * The forecasts of `n_rows` rows of `n_features` values each, one row after the other, on the thread
 * that calls: the same bits as longhaul_score_row gives for each. Threads that share a model score
 * parts of the rows at once.
 *
 * # Safety
 * `model` is NULL or a model that is loaded; `rows` is NULL or points to `n_rows` times `n_features`
 * values; `out` is NULL or memory for `n_rows` forecasts, which does not overlap the rows.
 */
longhaul_status longhaul_score_rows(const longhaul_model *model,
                                    const float *rows,
                                    size_t n_rows,
                                    size_t n_features,
                                    longhaul_forecast *out);

/**
 * Opens a speed table, as `longhaul speed` writes it, and maps it into memory. Its digest is not
 * compared, which would read all of it: longhaul_speed_table_verify does.
 *
 * A file that is open must stay as it is: replace it by renaming another to its name, and open that.
 *
 * `file`: the path, in UTF-8. `out`: where the table is written, to be freed by
 * longhaul_speed_table_free.
 *
 * # Safety
 * `file` is NULL or a text that ends in NUL; `out` is NULL or memory for a pointer.
 */
longhaul_status longhaul_speed_table_open(const char *file,
                                          longhaul_speed_table **out);

/**
 * Frees a speed table, and its texts. NULL is allowed.
 *
 * # Safety
 * `table` is NULL or was written by longhaul_speed_table_open, is freed for the first time, and no
 * other thread uses it.
 */
void longhaul_speed_table_free(longhaul_speed_table *table);

/**
 * Reads the whole file and compares it with the digest at its end.
 *
 * # Safety
 * `table` is NULL or a table that is open.
 */
longhaul_status longhaul_speed_table_verify(const longhaul_speed_table *table);

/**
 * The id of the model that made the table. NULL if `table` is.
 *
 * # Safety
 * `table` is NULL or a table that is open.
 */
const char *longhaul_speed_table_model_id(const longhaul_speed_table *table);

/**
 * The moment whose knowledge the table is of, in microseconds since 1970-01-01 UTC; 0 if `table` is
 * NULL.
 *
 * # Safety
 * `table` is NULL or a table that is open.
 */
int64_t longhaul_speed_table_as_of(const longhaul_speed_table *table);

/**
 * How many rows the table has; 0 if `table` is NULL.
 *
 * # Safety
 * `table` is NULL or a table that is open.
 */
size_t longhaul_speed_table_row_count(const longhaul_speed_table *table);

/**
 * How fast a lane delivers: by the finest row that there is for it, that of all shipments if there is no
 * other. A value that is not known matches only rows whose value is not known either.
 *
 * # Safety
 * `table` is NULL or a table that is open; `lane` is NULL or a lane whose texts are NULL or end in NUL;
 * `out` is NULL or memory for a lane's speed.
 */
longhaul_status longhaul_lookup(const longhaul_speed_table *table,
                                const longhaul_lane *lane,
                                longhaul_lane_speed *out);

/**
 * The probability of delivery within so many hours from the order: between the days on straight lines,
 * from 0 at 0 hours on; beyond the last day what it is there. NaN if `speed` is NULL, `hours` is NaN, or
 * step_days is not of a lookup.
 *
 * # Safety
 * `speed` is NULL or a lane's speed that longhaul_lookup has written.
 */
double longhaul_probability_within(const longhaul_lane_speed *speed,
                                   double hours);

/**
 * The columns of a grouping, separated by commas, such as "origin_region, destination_region"; "all" of
 * the last one. NULL if there is none. It need not be freed.
 */
const char *longhaul_grouping_name(uint32_t grouping);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* LONGHAUL_H */
