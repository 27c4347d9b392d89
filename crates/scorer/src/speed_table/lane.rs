//! Lanes as requests name them, and the columns by which the rows of a speed table are grouped.

use std::fmt;

use terms::column::{
    CARRIER, DESTINATION_REGION, DESTINATION_ZONE, ORIGIN_REGION, ORIGIN_ZONE, SERVICE,
};

use super::weight_band::WeightBand;

/// The column of the weight bands, which is none of the tables'.
const WEIGHT_BAND: &str = "weight_band";

/// How many columns of a lane are texts.
pub(super) const N_TEXT_COLUMNS: usize = 6;
/// How many columns a lane has: the texts, and the weight band after them.
pub(super) const N_COLUMNS: usize = N_TEXT_COLUMNS + 1;
/// How many columns a grouping has at most.
pub(super) const N_KEY_COLUMNS: usize = 5;
/// How many groupings there are.
pub(super) const N_GROUPINGS: usize = LaneGrouping::ALL.len();

/// What is known of the lane of a shipment. `None` is not known, or not recorded by the shop.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Lane<'a> {
    /// Postal prefix of the origin.
    pub origin_zone: Option<&'a str>,
    /// Region of the origin.
    pub origin_region: Option<&'a str>,
    /// Postal prefix of the destination.
    pub destination_zone: Option<&'a str>,
    /// Region of the destination.
    pub destination_region: Option<&'a str>,
    /// Who carries it.
    pub carrier: Option<&'a str>,
    /// The carrier's service.
    pub service: Option<&'a str>,
    /// Units: grams. What is no weight (NaN, negative, infinite) is not known.
    pub weight_g: Option<f32>,
}

impl<'a> Lane<'a> {
    /// The values of the columns that are texts, in the order of their positions.
    pub(super) fn texts(&self) -> [Option<&'a str>; N_TEXT_COLUMNS] {
        [
            self.origin_zone,
            self.origin_region,
            self.destination_zone,
            self.destination_region,
            self.carrier,
            self.service,
        ]
    }

    /// What it has in a column of a grouping ([`LaneGrouping::columns`]): of the weight the text of its
    /// band. `None` too of what is no column.
    pub fn text(&self, column: &str) -> Option<&'a str> {
        match column {
            ORIGIN_ZONE => self.origin_zone,
            ORIGIN_REGION => self.origin_region,
            DESTINATION_ZONE => self.destination_zone,
            DESTINATION_REGION => self.destination_region,
            CARRIER => self.carrier,
            SERVICE => self.service,
            WEIGHT_BAND => Some(WeightBand::of(self.weight_g?)?.text()),
            _ => None,
        }
    }

    /// What keys have for its values, column by column: `texts` for the texts, 1 more than the position of
    /// the weight band, and 0 of what is not known.
    pub(super) fn words(&self, texts: [u32; N_TEXT_COLUMNS]) -> Words {
        let [a, b, c, d, e, f] = texts;
        let band = self.weight_g.and_then(WeightBand::of);
        Words([a, b, c, d, e, f, band.map_or(0, |band| band.index() as u32 + 1), 0])
    }
}

/// What keys have for the values of a lane: the columns, and 0 for those that a grouping does not have.
#[derive(Clone, Copy)]
pub(super) struct Words([u32; N_COLUMNS + 1]);

impl Words {
    /// The key of a row of this grouping.
    pub(super) fn key(&self, grouping: LaneGrouping) -> [u32; N_KEY_COLUMNS] {
        KEYS[grouping.index()].map(|position| self.0[position])
    }
}

/// The columns of each grouping.
const GROUPED_BY: [&[&str]; N_GROUPINGS] = [
    &[ORIGIN_ZONE, DESTINATION_ZONE, CARRIER, SERVICE, WEIGHT_BAND],
    &[ORIGIN_ZONE, DESTINATION_ZONE, CARRIER, SERVICE],
    &[ORIGIN_ZONE, DESTINATION_ZONE],
    &[ORIGIN_REGION, DESTINATION_ZONE, CARRIER, SERVICE],
    &[ORIGIN_REGION, DESTINATION_ZONE],
    &[ORIGIN_REGION, DESTINATION_REGION, CARRIER, SERVICE, WEIGHT_BAND],
    &[ORIGIN_REGION, DESTINATION_REGION, CARRIER, SERVICE],
    &[ORIGIN_REGION, DESTINATION_REGION],
    &[DESTINATION_ZONE, CARRIER, SERVICE],
    &[DESTINATION_ZONE],
    &[DESTINATION_REGION, CARRIER, SERVICE],
    &[DESTINATION_REGION],
    &[],
];

/// What a key has in place of a column that its grouping does not have: a word that is always 0.
const NONE: usize = N_COLUMNS;

/// The positions of their columns among the words of a lane.
const KEYS: [[usize; N_KEY_COLUMNS]; N_GROUPINGS] = [
    [0, 2, 4, 5, 6],
    [0, 2, 4, 5, NONE],
    [0, 2, NONE, NONE, NONE],
    [1, 2, 4, 5, NONE],
    [1, 2, NONE, NONE, NONE],
    [1, 3, 4, 5, 6],
    [1, 3, 4, 5, NONE],
    [1, 3, NONE, NONE, NONE],
    [2, 4, 5, NONE, NONE],
    [2, NONE, NONE, NONE, NONE],
    [3, 4, 5, NONE, NONE],
    [3, NONE, NONE, NONE, NONE],
    [NONE, NONE, NONE, NONE, NONE],
];

/// Which columns a row of a speed table is grouped by, from the finest to the coarsest, in which order
/// they are looked up.
///
/// ```
/// use scorer::LaneGrouping;
///
/// let names: Vec<String> = LaneGrouping::ALL.iter().map(|grouping| grouping.name()).collect();
/// assert_eq!(names[0], "origin_zone, destination_zone, carrier, service, weight_band");
/// assert_eq!(names[7], "origin_region, destination_region");
/// assert_eq!(names[12], "all");
/// assert!(LaneGrouping::ALL.is_sorted());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneGrouping(u8);

impl LaneGrouping {
    /// All groupings, from the finest to the coarsest.
    pub const ALL: [Self; 13] = [
        Self(0),
        Self(1),
        Self(2),
        Self(3),
        Self(4),
        Self(5),
        Self(6),
        Self(7),
        Self(8),
        Self(9),
        Self(10),
        Self(11),
        Self(12),
    ];

    /// That of the row of all shipments.
    pub const ALL_SHIPMENTS: Self = Self(12);

    /// Its position in [`LaneGrouping::ALL`].
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// The names of its columns: those of the tables, and `weight_band`.
    pub fn columns(self) -> &'static [&'static str] {
        GROUPED_BY[self.index()]
    }

    /// Its columns, separated by commas; "all" if there are none.
    pub fn name(self) -> String {
        match self.columns() {
            [] => "all".to_owned(),
            columns => columns.join(", "),
        }
    }

    /// The positions of its columns among those of a lane.
    pub(super) fn positions(self) -> impl Iterator<Item = usize> {
        KEYS[self.index()].into_iter().filter(|&position| position != NONE)
    }

    /// Its columns as the file names them: the bit of each one's position.
    pub(super) fn column_bits(self) -> u32 {
        self.positions().map(|position| 1 << position).sum()
    }
}

impl fmt::Display for LaneGrouping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_those_of_the_columns_by_their_names() {
        let columns = [
            ORIGIN_ZONE,
            ORIGIN_REGION,
            DESTINATION_ZONE,
            DESTINATION_REGION,
            CARRIER,
            SERVICE,
            WEIGHT_BAND,
        ];
        for grouping in LaneGrouping::ALL {
            let names: Vec<&str> = grouping.positions().map(|at| columns[at]).collect();
            assert_eq!(names, grouping.columns());
        }
        assert!(LaneGrouping::ALL_SHIPMENTS.columns().is_empty());
    }

    #[test]
    fn a_key_has_the_words_of_its_columns() {
        let [origin_zone, origin_region, destination_zone, destination_region, carrier, service] =
            ["1", "2", "3", "4", "5", "6"].map(Some);
        let lane = Lane {
            origin_zone,
            origin_region,
            destination_zone,
            destination_region,
            carrier,
            service,
            weight_g: Some(40_000.0),
        };
        let words = lane.words(lane.texts().map(|text| 1 + text.unwrap().parse::<u32>().unwrap()));
        assert_eq!(words.key(LaneGrouping::ALL[0]), [2, 4, 6, 7, 8]);
        assert_eq!(words.key(LaneGrouping::ALL[6]), [3, 5, 6, 7, 0]);
        assert_eq!(words.key(LaneGrouping::ALL_SHIPMENTS), [0; 5]);
        assert_eq!(Lane::default().words([0; 6]).key(LaneGrouping::ALL[0]), [0; 5]);
    }
}
