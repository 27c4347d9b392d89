//! What the models of each night predict, stored night by night, for each pipeline:
//! `forecasts/<pipeline>/<as-of>/<digest>.parquet`.
//!
//! The model that was trained on a night, published or refused (the challenger), and the champion of
//! that night score the orders that came until the next model, as of the order: orders that neither
//! has seen. That is done some days later, when these orders have been recorded, and once; the file
//! is named by its content. When their outcomes have matured, a later night compares both on these
//! rows. It reads what can have been stored before it only, so a rerun finds what it found.

use std::collections::{BTreeMap, HashMap};
use std::io::Cursor;

use anyhow::Result;
use artifact::{Bundle, Manifest};
use evaluate::NightlyForecasts;
use polars::prelude::*;
use scorer::Distribution;
use terms::{AsOf, DayGrid, Digest, N_LEVELS, column};

use crate::predictions::{Predictions, to_parquet};
use crate::stage::RunContext;
use crate::stages::features::FeatureSet;

/// Where they are stored.
const FOLDER: &str = "forecasts";

/// A model predicts the orders of so many days after its night at most.
const ORDERS_DAYS: i64 = 7;

/// So many days after an order it has been recorded.
const RECORDED_DAYS: i64 = 3;

/// What was not stored so many days after a night is not stored any more, which leaves room for a
/// weekly run.
const STORED_DAYS: i64 = 2 * ORDERS_DAYS + RECORDED_DAYS;

/// So many days of nights before the end of the hold-out are compared.
pub(crate) const NIGHTS_DAYS: i64 = 40;

/// The key of how a model was trained, in what its metrics are about.
pub(crate) const TRAINING: &str = "training";

const ROLE: &str = "role";
const CHALLENGER: &str = "challenger";
const CHAMPION: &str = "champion";

/// The stored predictions of one night.
pub(crate) struct StoredNight {
    as_of: AsOf,
    /// Its file, named by its digest.
    pub(crate) path: String,
}

impl StoredNight {
    /// Its as-of.
    pub(crate) fn as_of(&self) -> AsOf {
        self.as_of
    }

    /// The night whose predictions are at a path; `None` if they are those of no night.
    pub(crate) fn at(path: String) -> Option<Self> {
        let as_of = path.strip_prefix(FOLDER)?.split('/').nth(2)?.parse().ok()?;
        Some(Self { as_of, path })
    }
}

/// The nights that may be compared and for which nothing is stored from this as-of on, oldest first.
/// A shipment is lost after `lost_after_days`: no later night waits for its outcomes.
///
/// # Errors
/// If the store cannot be read.
pub(crate) fn stored_nights(
    context: &RunContext<'_>,
    pipeline: &str,
    lost_after_days: i64,
) -> Result<Vec<StoredNight>> {
    let since = context.as_of.plus_days(-NIGHTS_DAYS - lost_after_days);
    let until = context.as_of.plus_days(-STORED_DAYS);
    let is_in = |night: &StoredNight| since <= night.as_of && night.as_of < until;
    let listed = context.store.list(&format!("{FOLDER}/{pipeline}"))?.into_iter();
    let nights = listed.filter_map(|entry| StoredNight::at(entry.path)).filter(is_in);
    let mut nights: Vec<StoredNight> = nights.collect();
    nights.sort_by(|a, b| a.as_of.cmp(&b.as_of).then_with(|| a.path.cmp(&b.path)));
    nights.dedup_by_key(|night| night.as_of);
    Ok(nights)
}

/// Stores what challengers and champions of the last nights predict, where that was not done and the
/// orders are recorded. `models` are those of moments before the as-of, newest first; `how` has the
/// file in a bundle that says how it was trained, and the days for which all of them give
/// probabilities.
///
/// # Errors
/// If the store fails, or a bundle is not what was published.
pub(crate) fn store(
    context: &RunContext<'_>,
    feature_set: &FeatureSet,
    models: &[Manifest],
    how: (&str, DayGrid),
) -> Result<()> {
    for contenders in contenders(models, context.as_of) {
        let about = &contenders.challenger.about;
        let folder = format!("{FOLDER}/{}/{}", about.pipeline, about.as_of);
        if context.store.list(&folder)?.is_empty()
            && let Some(predictions) = predictions(context, feature_set, &contenders, how)?
        {
            let bytes = to_parquet(predictions.into_frame()?)?;
            let path = format!("{folder}/{}.parquet", Digest::of(&bytes));
            context.store.put(&path, bytes.into())?;
        }
    }
    Ok(())
}

/// The model of a night, the champion of that night, and the end of the orders that they predict.
struct Contenders<'a> {
    challenger: &'a Manifest,
    champion: &'a Manifest,
    orders_end: AsOf,
}

/// The contenders of the nights whose orders have been recorded not long before `as_of`.
fn contenders(models: &[Manifest], as_of: AsOf) -> Vec<Contenders<'_>> {
    let recorded = as_of.plus_days(-RECORDED_DAYS);
    let since = as_of.plus_days(-STORED_DAYS);
    let nights = models.chunk_by(|one, other| one.about.as_of == other.about.as_of);
    let mut contenders = Vec::new();
    let mut next_night = as_of;
    for challenger in nights.filter_map(<[Manifest]>::first) {
        let night = challenger.about.as_of;
        let orders_end = next_night.min(night.plus_days(ORDERS_DAYS));
        next_night = night;
        let is_champion = |model: &&Manifest| model.about.passed && model.about.as_of < night;
        if let Some(champion) = models.iter().find(is_champion)
            && orders_end <= recorded
            && since <= night
        {
            contenders.push(Contenders { challenger, champion, orders_end });
        }
    }
    contenders
}

/// What both predict; `None` if there was no order, or one of them cannot score.
fn predictions(
    context: &RunContext<'_>,
    feature_set: &FeatureSet,
    contenders: &Contenders<'_>,
    (metrics, days): (&str, DayGrid),
) -> Result<Option<Predictions>> {
    let &Contenders { challenger, champion, orders_end } = contenders;
    let night = challenger.about.as_of;
    let rows = feature_set.ordered_between(night.instant(), orders_end.instant());
    let rows: Vec<usize> = rows.collect();
    let shipment_ids = feature_set.frame.texts(column::SHIPMENT_ID)?;
    let order_ids = feature_set.frame.texts(column::ORDER_ID)?;
    let mut predictions = Predictions::on_days(days);
    let (mut roles, mut training) = (Vec::new(), Vec::new());
    for (role, model) in [(CHALLENGER, challenger), (CHAMPION, champion)] {
        let Some(bundle) = readable(context, &model.model_id, metrics)? else { return Ok(None) };
        let scored = score(context, feature_set, &bundle, (&rows, days));
        let Some(scored) = scored else { return Ok(None) };
        let of_bundle = training_of(&bundle, metrics);
        for (&row, distribution) in rows.iter().zip(scored) {
            let ids = (&shipment_ids[row], &order_ids[row]);
            let ids = (ids.0.as_deref().unwrap_or_default(), ids.1.as_deref().unwrap_or_default());
            predictions.push(ids, night, &model.model_id, distribution);
            roles.push(role);
            training.push(of_bundle.clone());
        }
    }
    predictions.more =
        vec![Column::new(ROLE.into(), roles), Column::new(TRAINING.into(), training)];
    Ok((!rows.is_empty()).then_some(predictions))
}

/// What of a model's bundle scores, and its file of metrics; `None`, with a note, if it is damaged or
/// gone.
///
/// # Errors
/// If the store fails.
pub(crate) fn readable(
    context: &RunContext<'_>,
    model_id: &str,
    metrics: &str,
) -> Result<Option<Bundle>> {
    let is_wanted = |name: &str| scorer::is_model_file(name) || name == metrics;
    match artifact::read_files(context.store, model_id, is_wanted) {
        Ok(bundle) => Ok(Some(bundle)),
        Err(error) if error.is_damage() => {
            context.reporter.warn(&format!("model {model_id} is not compared: {error}"));
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// How a model was trained, if its metrics say it.
fn training_of(bundle: &Bundle, metrics: &str) -> Option<String> {
    let metrics: serde_json::Value = serde_json::from_slice(bundle.files.get(metrics)?).ok()?;
    metrics["about"][TRAINING].as_str().map(str::to_owned)
}

/// The predictions of a published model for some rows, with probabilities by these days; `None`, with a note, if this program or this
/// feature set is too different from those of the model.
pub(crate) fn score(
    context: &RunContext<'_>,
    feature_set: &FeatureSet,
    bundle: &Bundle,
    (rows, days): (&[usize], DayGrid),
) -> Option<Vec<Distribution>> {
    let scored = || -> Result<Vec<Distribution>> {
        let scorer = bundle.scorer()?.on_days(days);
        let matrix = features::encode(&feature_set.frame, scorer.features())?;
        Ok(scorer.score(&matrix.take(rows))?)
    };
    match scored() {
        Ok(distributions) => Some(distributions),
        Err(error) => {
            let model_id = bundle.model_id();
            context.reporter.note(&format!("model {model_id} is not compared: {error:#}"));
            None
        }
    }
}

/// What was predicted on the nights of the last 40 days before `end` by models that were trained in
/// this way, and by the champions of those nights, with outcomes as known at the as-of.
///
/// # Errors
/// If a file is not what was stored.
pub(crate) fn forecasts(
    context: &RunContext<'_>,
    feature_set: &FeatureSet,
    nights: &[StoredNight],
    (end, training): (AsOf, &str),
) -> Result<NightlyForecasts> {
    let since = end.plus_days(-NIGHTS_DAYS);
    let shipment_ids = feature_set.frame.texts(column::SHIPMENT_ID)?;
    let row_of: HashMap<&str, usize> = (shipment_ids.iter().enumerate())
        .filter_map(|(row, id)| Some((id.as_deref()?, row)))
        .collect();
    // A row that two nights predicted counts once, as the earlier one predicted it.
    let mut of_rows: BTreeMap<usize, [[f32; N_LEVELS]; 2]> = BTreeMap::new();
    let mut n_nights = 0;
    for night in nights.iter().filter(|night| since < night.as_of && night.as_of <= end) {
        let Some(frame) = read(context, night)? else { continue };
        let challengers = quantiles(&frame, CHALLENGER, Some(training))?;
        let champions: BTreeMap<String, _> =
            quantiles(&frame, CHAMPION, None)?.into_iter().collect();
        n_nights += usize::from(!challengers.is_empty());
        for (id, challenger) in challengers {
            if let (Some(&row), Some(&champion)) = (row_of.get(id.as_str()), champions.get(&id)) {
                of_rows.entry(row).or_insert([challenger, champion]);
            }
        }
    }
    let outcomes = feature_set.outcomes.as_of(context.as_of);
    let ordered_at = feature_set.outcomes.ordered_at();
    Ok(NightlyForecasts {
        nights: n_nights,
        ordered_at: of_rows.keys().map(|&row| ordered_at[row]).collect(),
        outcomes: of_rows.keys().map(|&row| outcomes[row]).collect(),
        challengers: of_rows.values().map(|pair| pair[0]).collect(),
        champions: of_rows.values().map(|pair| pair[1]).collect(),
    })
}

/// The digest in the name of stored predictions.
pub(crate) fn digest_of(path: &str) -> Option<Digest> {
    path.rsplit('/').next()?.strip_suffix(".parquet")?.parse().ok()
}

/// The stored predictions of a night, verified; `None`, with a note, if they are damaged or gone.
fn read(context: &RunContext<'_>, night: &StoredNight) -> Result<Option<DataFrame>> {
    let found = match digest_of(&night.path) {
        Some(digest) => context.store.get_verified(&night.path, &digest),
        None => Err(store::Error::NotFound { url: context.store.url_of(&night.path) }),
    };
    match found {
        Ok(bytes) => Ok(Some(ParquetReader::new(Cursor::new(bytes)).finish()?)),
        Err(error) if error.damaged().is_some() => {
            context.reporter.warn(&format!("a night is not compared: {error}"));
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// The predicted quantiles in one role, by shipment; of models that were trained in one way only, if
/// that is given.
fn quantiles(
    frame: &DataFrame,
    role: &str,
    training: Option<&str>,
) -> Result<Vec<(String, [f32; N_LEVELS])>> {
    let texts =
        |name: &str| -> PolarsResult<StringChunked> { Ok(frame.column(name)?.str()?.clone()) };
    let (ids, roles, trainings) = (texts(column::SHIPMENT_ID)?, texts(ROLE)?, texts(TRAINING)?);
    let mut levels = Vec::with_capacity(N_LEVELS);
    for name in column::HOURS {
        levels.push(frame.column(name)?.f32()?.clone());
    }
    let mut found = Vec::new();
    for row in 0..frame.height() {
        let is_of = roles.get(row) == Some(role)
            && training.is_none_or(|training| trainings.get(row) == Some(training));
        if let (true, Some(id)) = (is_of, ids.get(row)) {
            let hours = std::array::from_fn(|level| levels[level].get(row).unwrap_or(f32::NAN));
            found.push((id.to_owned(), hours));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use store::{Store, StoreSettings};

    use super::*;
    use crate::flags::{Global, LogFormat};
    use crate::predictions::instants;
    use crate::report::Reporter;

    #[test]
    fn what_former_versions_stored_of_a_night_is_read() {
        let settings = StoreSettings::resolve("memory://", &BTreeMap::new()).unwrap();
        let store = Store::open(&settings).unwrap();
        let (store_set, quiet, log_format) = (None, true, LogFormat::Text);
        let global = Global { store: store_set, set: Vec::new(), json: false, quiet, log_format };
        let (reporter, as_of) = (Reporter::new(&global), "2026-03-30".parse().unwrap());
        let context = RunContext::new(&store, as_of, &reporter);
        // With the name that the as-of had, and what nobody reads any more.
        let mut columns = vec![
            Column::new(column::SHIPMENT_ID.into(), ["a", "b", "a"]),
            instants("predicted_as_of", &[as_of.instant(); 3]).unwrap(),
            Column::new(ROLE.into(), [CHALLENGER, CHALLENGER, CHAMPION]),
            Column::new(TRAINING.into(), ["so", "otherwise", "otherwise"]),
        ];
        for (level, name) in column::HOURS.into_iter().enumerate() {
            columns
                .push(Column::new(name.into(), [1.0, 2.0, 3.0].map(|row: f32| row + level as f32)));
        }
        let bytes = to_parquet(DataFrame::new(3, columns).unwrap()).unwrap();
        let path = format!("{FOLDER}/shop/2026-03-01/{}.parquet", Digest::of(&bytes));
        store.put(&path, bytes.into()).unwrap();
        let night = StoredNight::at(path).unwrap();
        let frame = read(&context, &night).unwrap().unwrap();
        let of = |role, training| {
            let found = quantiles(&frame, role, training).unwrap().into_iter();
            found.map(|(id, hours)| (id, hours[0], hours[N_LEVELS - 1])).collect::<Vec<_>>()
        };
        assert_eq!(of(CHALLENGER, Some("so")), [("a".to_owned(), 1.0, 9.0)]);
        assert_eq!(of(CHAMPION, None), [("a".to_owned(), 3.0, 11.0)]);
    }
}
