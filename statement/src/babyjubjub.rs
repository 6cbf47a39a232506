//! Baby Jubjub, the twisted Edwards curve over BN254's scalar field, in ERC-2494's coordinates
//! (168700·x² + y² = 1 + 168696·x²·y²), and circomlib's 32-byte packing of its points.

use ark_ec::{
    AffineRepr, CurveGroup,
    twisted_edwards::{Affine, Projective, TECurveConfig},
};
use ark_ff::{AdditiveGroup, BigInteger, Field, PrimeField};
use taceo_ark_babyjubjub::EdwardsConfig;
use thiserror::Error;

use crate::field::{self, Fr};

/// Curve coefficients, for circuits and tests.
pub use taceo_ark_babyjubjub::EdwardsConfig as Config;
/// A scalar: an integer modulo the prime order of the subgroup.
pub use taceo_ark_babyjubjub::Fr as Scalar;

/// A point in affine coordinates.
pub type Point = Affine<EdwardsConfig>;
/// A point in extended coordinates.
pub type ProjectivePoint = Projective<EdwardsConfig>;

/// Length of a packed point, in bytes.
pub const PACKED_LEN: usize = 32;

/// What is wrong with a point that was handed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PointError {
    /// The coordinate is not below the field's modulus, or the sign of x = 0 is set: another encoding exists.
    #[error("the point is not canonically packed; pack it as circomlib does")]
    NonCanonical,
    /// No x belongs to this y, or (x, y) does not satisfy the curve's equation.
    #[error(
        "the point is not on Baby Jubjub; check that the coordinates are ERC-2494's (a = 168700)"
    )]
    OffCurve,
    /// The point has a component of small order.
    #[error(
        "the point is outside the prime-order subgroup; multiply the base point B8 to make keys"
    )]
    OutsideSubgroup,
    /// The neutral element is no key and no commitment.
    #[error("the point is the neutral element; make a new key")]
    Identity,
}

/// circomlib's base point B8, which generates the subgroup of prime order.
pub fn base() -> Point {
    Point::generator()
}

/// The point with these coordinates, if it is one of the subgroup other than the neutral element.
///
/// # Errors
/// [`PointError`] names what it fails.
pub fn from_coordinates(x: Fr, y: Fr) -> Result<Point, PointError> {
    let point = Point::new_unchecked(x, y);
    if !point.is_on_curve() {
        return Err(PointError::OffCurve);
    }
    if point.is_zero() {
        return Err(PointError::Identity);
    }
    if !point.is_in_correct_subgroup_assuming_on_curve() {
        return Err(PointError::OutsideSubgroup);
    }
    Ok(point)
}

/// circomlib's packing: y in 32 little-endian bytes, the top bit set if x is above (r − 1)/2.
pub fn pack(point: &Point) -> [u8; PACKED_LEN] {
    let mut bytes = field::to_bytes(&point.y);
    if is_upper_half(&point.x)
        && let Some(top) = bytes.last_mut()
    {
        *top |= 0x80;
    }
    bytes
}

/// Unpacks a point of the subgroup.
///
/// # Errors
/// [`PointError`]: every point has one encoding, and the neutral element has none.
pub fn unpack(bytes: &[u8; PACKED_LEN]) -> Result<Point, PointError> {
    let mut y_bytes = *bytes;
    let sign = match y_bytes.last_mut() {
        Some(top) => {
            let sign = *top & 0x80 != 0;
            *top &= 0x7f;
            sign
        }
        None => false,
    };
    let y = field::from_bytes(&y_bytes).map_err(|_| PointError::NonCanonical)?;
    // a·x² + y² = 1 + d·x²·y², so x² = (1 − y²)/(a − d·y²); the denominator is never 0, since a/d is no square.
    let y2 = y.square();
    // u/v = u·v/v²: the root, which every second y fails, comes before the inverse.
    let denominator = EdwardsConfig::COEFF_A - EdwardsConfig::COEFF_D * y2;
    let root = ((Fr::ONE - y2) * denominator)
        .sqrt()
        .ok_or(PointError::OffCurve)?
        * denominator.inverse().ok_or(PointError::OffCurve)?;
    let x = if is_upper_half(&root) == sign {
        root
    } else {
        -root
    };
    if is_upper_half(&x) != sign {
        return Err(PointError::NonCanonical);
    }
    from_coordinates(x, y)
}

/// k·P for a field element's canonical integer k, which may exceed the subgroup's order.
pub fn multiply_by_integer(point: &Point, integer: &Fr) -> ProjectivePoint {
    point.mul_bigint(integer.into_bigint())
}

/// A point of the subgroup whose logarithm nobody knows: the tag is hashed to y until one is on the curve, and the
/// cofactor is cleared. For constants only: the time depends on the tag.
pub fn hash_to_point(tag: &str) -> Point {
    let mut counter = 0u64;
    loop {
        let y = crate::poseidon::hash_bytes(tag, &counter.to_le_bytes());
        let y2 = y.square();
        let x = (EdwardsConfig::COEFF_A - EdwardsConfig::COEFF_D * y2)
            .inverse()
            .and_then(|inverse| ((Fr::ONE - y2) * inverse).sqrt());
        if let Some(x) = x {
            let x = if is_upper_half(&x) { -x } else { x };
            let point = Point::new_unchecked(x, y)
                .mul_by_cofactor_to_group()
                .into_affine();
            if !point.is_zero() {
                return point;
            }
        }
        counter += 1;
    }
}

fn is_upper_half(x: &Fr) -> bool {
    let mut doubled = x.into_bigint();
    // 2x ≥ r, for 2x < 2^255: no bit is lost.
    doubled.mul2();
    doubled > Fr::MODULUS && *x != Fr::ZERO
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packs_and_unpacks() {
        let mut point = base().into_group();
        for _ in 0..20 {
            let affine = point.into_affine();
            assert_eq!(unpack(&pack(&affine)), Ok(affine));
            assert_eq!(unpack(&pack(&-affine)), Ok(-affine));
            point += base();
        }
    }

    #[test]
    fn refuses_what_is_no_subgroup_point() {
        assert_eq!(
            from_coordinates(Fr::ZERO, Fr::ONE),
            Err(PointError::Identity)
        );
        assert_eq!(
            from_coordinates(Fr::ZERO, -Fr::ONE),
            Err(PointError::OutsideSubgroup)
        );
        assert_eq!(
            from_coordinates(Fr::ONE, Fr::ONE),
            Err(PointError::OffCurve)
        );
        // ERC-2494's generator of the whole group has order 8·l.
        let whole = base().into_group() + Point::new_unchecked(Fr::ZERO, -Fr::ONE);
        let whole = whole.into_affine();
        assert_eq!(
            from_coordinates(whole.x, whole.y),
            Err(PointError::OutsideSubgroup)
        );
        assert_eq!(unpack(&pack(&whole)), Err(PointError::OutsideSubgroup));
    }

    #[test]
    fn refuses_other_encodings() {
        let mut identity = [0; 32];
        identity[0] = 1;
        assert_eq!(unpack(&identity), Err(PointError::Identity));
        identity[31] |= 0x80; // "minus zero"
        assert_eq!(unpack(&identity), Err(PointError::NonCanonical));
        assert_eq!(unpack(&[0xff; 32]), Err(PointError::NonCanonical));
    }
}
