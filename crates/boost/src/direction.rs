//! The direction in which predictions must follow a column: a monotonic constraint.

use serde::{Deserialize, Serialize};

use crate::fixed_point::Sums;

/// A monotonic constraint: how predictions must change when a column's value rises and all others
/// stay. Missing values are not constrained.
///
/// ```
/// use boost::{Columns, Direction, Params, Target, train};
///
/// let columns = [vec![1.0, 2.0, 3.0, 4.0]];
/// let target = Target::Mean { values: &[1.0, 2.0, 1.5, 4.0] };
/// let params = Params { rows_in_leaf_min: 1, ..Params::default() }.check()?;
/// let directions = [Some(Direction::Rising)];
/// let constrained = Columns::new(&columns, &[false]).directed(&directions);
/// let model = train(&constrained, &target, &params)?;
/// assert!(model.predict(&columns)?.is_sorted());
/// # Ok::<(), boost::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Predictions never fall when the column's value rises.
    Rising,
    /// Predictions never rise when the column's value rises.
    Falling,
}

impl Direction {
    /// Whether the Newton steps of the rows below and above a border follow the direction.
    pub(crate) fn is_followed(self, below: &Sums, above: &Sums) -> bool {
        // A step is -G / H.
        let [below, above] = [below, above].map(|sums| -sums.gradient / sums.hessian);
        match self {
            Self::Rising => below <= above,
            Self::Falling => above <= below,
        }
    }
}
