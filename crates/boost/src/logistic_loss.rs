//! Logistic loss of log-odds: the gradient is p - y, the hessian p (1 - p), both times the weight.

use rayon::prelude::*;

use crate::OutputOrder;
use crate::fixed_point::{Gradient, Packing, Sums, order_free_mean};
use crate::loss::{BLOCK_ROWS, Loss, newton_steps};

/// Logistic loss over the rows of a training set, of which the first `n_trained` are learned from.
pub(crate) struct LogisticLoss<'a> {
    pub(crate) outcomes: &'a [bool],
    pub(crate) weights: Option<&'a [f32]>,
    pub(crate) n_trained: usize,
    pub(crate) l2: f64,
}

impl LogisticLoss<'_> {
    fn weight(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[row].into())
    }
}

impl Loss<2> for LogisticLoss<'_> {
    /// The log-odds of all rows, with half an event added to either side so that they are finite.
    fn base(&self) -> Vec<f32> {
        let weigh = |wanted: bool| {
            let rows = (0..self.n_trained).filter(|&row| self.outcomes[row] == wanted);
            let weights: Vec<f32> = rows.map(|row| self.weight(row) as f32).collect();
            if weights.is_empty() { 0.0 } else { order_free_mean(&weights) * weights.len() as f64 }
        };
        vec![libm::log((weigh(true) + 0.5) / (weigh(false) + 0.5)) as f32]
    }

    fn order(&self) -> OutputOrder {
        OutputOrder::AsAdded
    }

    fn gradients(&mut self, _: u32, current: &[f32], gradients: &mut [Gradient<2>]) -> Packing {
        let heaviest =
            self.weights.map_or(1.0, |weights| weights.iter().copied().fold(0.0, f32::max).into());
        let packing = Packing::new(gradients.len(), heaviest, 0.25 * heaviest);
        let rows = gradients.par_iter_mut().zip(current).zip(self.outcomes).enumerate();
        rows.with_min_len(BLOCK_ROWS).for_each(|(row, ((gradient, &log_odds), &outcome))| {
            let (p, weight) = (1.0 / (1.0 + libm::exp(-f64::from(log_odds))), self.weight(row));
            let error = p - f64::from(u8::from(outcome));
            *gradient = packing.fix_with_hessian(error * weight, p * (1.0 - p) * weight);
        });
        packing
    }

    fn steps(&self, _: &[u16], leaves: &[Sums], _: usize, _: &[f32]) -> Vec<f32> {
        newton_steps(leaves, self.l2)
    }

    /// The variance of a Bernoulli trial is p (1 - p), as is its hessian.
    fn noise(&self) -> f64 {
        1.0
    }

    fn loss(&self, first_row: usize, current: &[f32]) -> f64 {
        let rows = || first_row..self.outcomes.len();
        let loss = |row: usize| {
            let log_odds = f64::from(current[row]);
            let against = if self.outcomes[row] { -log_odds } else { log_odds };
            // ln(1 + exp(x)) without overflow.
            (against.max(0.0) + libm::log1p(libm::exp(-against.abs()))) * self.weight(row)
        };
        rows().map(loss).sum::<f64>() / rows().map(|row| self.weight(row)).sum::<f64>()
    }
}
