//! What a reader of an exported ensemble has to compute for a row: leaves, and their sum in f64.

use boost::Model;

/// The leaf of each tree that a row is routed to; of an ensemble without trees that of the one
/// constant tree that it is exported as.
pub(super) fn leaves(model: &Model, row: &[f32]) -> Vec<u32> {
    let mut leaves: Vec<u32> = model.trees().iter().map(|tree| tree.leaf_of(row) as u32).collect();
    if leaves.is_empty() {
        leaves.push(0);
    }
    leaves
}

/// The sums of base and leaf values, each added in f64 in the order of the trees. Shapes: one for
/// each output of the model, in its order.
pub(super) fn raw_scores(model: &Model, leaves: &[u32]) -> Vec<f64> {
    // A reader's sum begins at 0, so that no sum is -0.
    let mut sums: Vec<f64> = model.base().iter().map(|&base| 0.0 + f64::from(base)).collect();
    for (tree, &leaf) in model.trees().iter().zip(leaves) {
        for (sum, &value) in sums.iter_mut().zip(tree.leaf(leaf as usize)) {
            *sum += f64::from(value);
        }
    }
    sums
}
