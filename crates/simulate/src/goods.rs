//! The goods in a shipment: categories, with distributions of size, weight and price.

use crate::geography::round;
use crate::random::{Random, Weights};

/// Share of items whose weight and size were not measured.
const UNMEASURED_RATE: f64 = 0.01;

/// Which part of the network can handle an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handling {
    Sortable,
    NonSortable,
    Specialty,
}

/// A category of goods.
#[derive(Debug)]
pub(crate) struct Category {
    pub(crate) name: &'static str,
    pub(crate) handling: Handling,
    /// Share of all items.
    pub(crate) share: f64,
    /// Share of its items that are sent by sellers.
    pub(crate) seller_share: f64,
    /// Median of one unit.
    weight_g: f64,
    density_g_cm3: f64,
    value: f64,
    /// Packing time as a multiple of the usual one.
    pub(crate) packing: f64,
}

#[rustfmt::skip]
pub(crate) static CATEGORIES: [Category; 12] = [
    Category { name: "apparel", handling: Handling::Sortable, share: 0.18, seller_share: 0.45, weight_g: 350.0, density_g_cm3: 0.15, value: 45.0, packing: 1.0 },
    Category { name: "books", handling: Handling::Sortable, share: 0.10, seller_share: 0.30, weight_g: 420.0, density_g_cm3: 0.70, value: 22.0, packing: 0.9 },
    Category { name: "electronics", handling: Handling::Sortable, share: 0.14, seller_share: 0.35, weight_g: 650.0, density_g_cm3: 0.40, value: 140.0, packing: 1.0 },
    Category { name: "beauty", handling: Handling::Sortable, share: 0.11, seller_share: 0.40, weight_g: 240.0, density_g_cm3: 0.50, value: 35.0, packing: 0.95 },
    Category { name: "toys", handling: Handling::Sortable, share: 0.10, seller_share: 0.40, weight_g: 800.0, density_g_cm3: 0.18, value: 40.0, packing: 1.0 },
    Category { name: "kitchen", handling: Handling::Sortable, share: 0.11, seller_share: 0.45, weight_g: 1_400.0, density_g_cm3: 0.30, value: 60.0, packing: 1.1 },
    Category { name: "sports", handling: Handling::Sortable, share: 0.07, seller_share: 0.55, weight_g: 1_800.0, density_g_cm3: 0.20, value: 70.0, packing: 1.1 },
    Category { name: "handmade", handling: Handling::Sortable, share: 0.05, seller_share: 1.0, weight_g: 300.0, density_g_cm3: 0.25, value: 38.0, packing: 2.2 },
    Category { name: "furniture", handling: Handling::NonSortable, share: 0.05, seller_share: 0.50, weight_g: 14_000.0, density_g_cm3: 0.20, value: 190.0, packing: 1.3 },
    Category { name: "appliances", handling: Handling::NonSortable, share: 0.04, seller_share: 0.35, weight_g: 11_000.0, density_g_cm3: 0.30, value: 260.0, packing: 1.2 },
    Category { name: "jewellery", handling: Handling::Specialty, share: 0.03, seller_share: 0.50, weight_g: 90.0, density_g_cm3: 0.30, value: 180.0, packing: 1.2 },
    Category { name: "batteries_liquids", handling: Handling::Specialty, share: 0.02, seller_share: 0.25, weight_g: 900.0, density_g_cm3: 0.80, value: 30.0, packing: 1.3 },
];

/// The goods in one shipment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Goods {
    /// Position in [`CATEGORIES`].
    pub(crate) category: u8,
    pub(crate) n_units: u8,
    /// The true weight, also where it was not measured: freight and packing depend on it.
    pub(crate) weight_g: f64,
    pub(crate) volume_cm3: f64,
    pub(crate) longest_side_cm: f64,
    pub(crate) value: f64,
    pub(crate) measured: bool,
}

impl Goods {
    /// Draws the goods of a shipment.
    pub(crate) fn draw(categories: &Weights, random: &mut Random) -> Self {
        let index = categories.draw(random);
        let category = &CATEGORIES[index];
        let mut n_units = 1;
        while n_units < 12 && random.chance(0.18) {
            n_units += 1;
        }
        let unit_g = random.lognormal(category.weight_g, 0.7).clamp(20.0, 80_000.0);
        let weight_g = (unit_g * f64::from(n_units)).round();
        let volume_cm3 = (weight_g / random.lognormal(category.density_g_cm3, 0.35)).round();
        let longest_side_cm = libm::cbrt(volume_cm3) * random.between(1.1, 2.2);
        let value = random.lognormal(category.value, 0.8) * f64::from(n_units);
        Self {
            category: index as u8,
            n_units,
            weight_g,
            volume_cm3,
            longest_side_cm: round(longest_side_cm, 10.0),
            value: round(value, 100.0),
            measured: !random.chance(UNMEASURED_RATE),
        }
    }

    pub(crate) fn category(&self) -> &'static Category {
        &CATEGORIES[usize::from(self.category)]
    }
}
