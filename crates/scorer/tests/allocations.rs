//! Scoring a row allocates nothing, by any instructions.
#![expect(unsafe_code, reason = "an allocator that counts")]

#[path = "../examples/generated/speed_table.rs"]
mod generated;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use boost::{Child, Model, OutputOrder, Split, SplitRule, Tree};
use scorer::{
    Calibration, Instructions, Parts, Recalibration, Regressor, Scorer, Segment, SpeedTable,
    TimeScale, encode_speed_table,
};
use terms::{DayGrid, Feature, FeatureKind, FeatureList, Grain, N_LEVELS};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: as the system's allocator; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|n| n.set(n.get() + 1));
        // SAFETY: as the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations_of<T>(work: impl FnOnce() -> T) -> usize {
    let before = ALLOCATIONS.with(Cell::get);
    std::hint::black_box(work());
    ALLOCATIONS.with(Cell::get) - before
}

/// A tree of three leaves, by a number and a category.
fn tree(at: usize, n_outputs: usize) -> Tree {
    let split = |feature, rule, left| Split {
        feature,
        rule,
        missing_left: at.is_multiple_of(2),
        left,
        right: Child::Leaf(feature),
        gain: 1.0,
    };
    let splits = [
        split(0, SplitRule::AtMost(at as f32), Child::Split(1)),
        split(1, SplitRule::Codes(vec![at as u32 % 3]), Child::Leaf(2)),
    ];
    let values = (0..3 * n_outputs).map(|value| value as f32 / 10.0).collect();
    Tree::new(&splits, values, n_outputs).expect("a sound model")
}

fn scorer(instructions: Instructions) -> Scorer {
    let levels = ["air", "road", "sea"].map(str::to_owned).to_vec();
    let features = FeatureList(vec![
        Feature { name: "distance_km".into(), kind: FeatureKind::Numeric },
        Feature { name: "service".into(), kind: FeatureKind::Categorical { levels } },
    ]);
    let gate = (0..100).map(|at| tree(at, 1)).collect();
    let trees = (0..300).map(|at| tree(at, N_LEVELS)).collect();
    let parts = Parts {
        features,
        days: DayGrid::DAILY,
        gate: Model::new(vec![0.5], gate, 2, OutputOrder::AsAdded).expect("a sound model"),
        regressors: vec![Regressor {
            trees: Model::new(vec![30.0; N_LEVELS], trees, 2, OutputOrder::Rising)
                .expect("a sound model"),
            time_scale: TimeScale::hours(),
            weight: 1.0,
        }],
        tail_ratio: 0.4,
        calibration: Calibration {
            segments: vec![Segment { upper_median: Some(90.0), factors: [1.1; N_LEVELS] }],
            pooled: [0.9; N_LEVELS],
        },
        recalibration: Recalibration { stretch: 0.4, ratios: vec![0.9; 8] },
        grain: Grain::Date,
    };
    Scorer::with_instructions(parts, instructions).expect("a sound model")
}

#[test]
fn a_row_is_scored_without_allocating() {
    let plain = scorer(Instructions::Plain);
    let rows = [[150.0, 1.0], [f32::NAN, f32::NAN], [-1e9, 7.0]];
    for instructions in [Instructions::Plain, Instructions::Portable, Instructions::Avx512] {
        let scorer = scorer(instructions);
        for row in &rows {
            assert_eq!(allocations_of(|| scorer.score_row(row)), 0, "{instructions:?}");
            assert_eq!(scorer.score_row(row), plain.score_row(row), "{instructions:?}");
        }
    }
    assert_eq!(allocations_of(|| vec![1u8]), 1, "counting counts");
}

#[test]
fn a_lane_is_looked_up_without_allocating() {
    let bytes = encode_speed_table(&generated::header(), &generated::rows()).expect("a table");
    let table = SpeedTable::from_bytes(bytes).expect("a table");
    for lane in generated::requests() {
        let n = allocations_of(|| {
            let speed = table.lookup(&lane);
            (speed.hours(), speed.probability_within(60.0), speed.distribution())
        });
        assert_eq!(n, 0, "{lane:?}");
    }
}
