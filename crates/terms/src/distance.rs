//! Distance on the globe.

/// Mean radius of the earth, in km (IUGG).
pub const EARTH_RADIUS_KM: f64 = 6371.0088;

/// Great-circle distance in km between two points given in degrees; NaN if one is not known.
///
/// Source: the haversine formula; exact on a sphere, within 0.5% of the ellipsoid.
pub fn haversine_km(from: (f64, f64), to: (f64, f64)) -> f64 {
    let ((lat_a, lon_a), (lat_b, lon_b)) = (from, to);
    let half_lat = ((lat_b - lat_a).to_radians() / 2.0).sin();
    let half_lon = ((lon_b - lon_a).to_radians() / 2.0).sin();
    let a =
        half_lat.powi(2) + lat_a.to_radians().cos() * lat_b.to_radians().cos() * half_lon.powi(2);
    // Not `min`, which would take a point that is not known for one at the other end of the earth.
    2.0 * EARTH_RADIUS_KM * a.sqrt().clamp(0.0, 1.0).asin()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_the_equator_is_a_quarter_of_the_equator() {
        let quarter = std::f64::consts::FRAC_PI_2 * EARTH_RADIUS_KM;
        assert!((haversine_km((0.0, 0.0), (0.0, 90.0)) - quarter).abs() < 1e-6);
        assert!((haversine_km((0.0, 0.0), (90.0, 17.0)) - quarter).abs() < 1e-6);
        assert_eq!(haversine_km((12.0, 34.0), (12.0, 34.0)), 0.0);
        assert!((haversine_km((0.0, 0.0), (0.0, 180.0)) - 2.0 * quarter).abs() < 1e-6);
    }

    #[test]
    fn a_point_that_is_not_known_is_at_no_distance() {
        assert!(haversine_km((f64::NAN, 0.0), (12.0, 34.0)).is_nan());
        assert!(haversine_km((12.0, 34.0), (12.0, f64::NAN)).is_nan());
    }
}
