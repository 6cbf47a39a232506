//! BN254's two groups as Bauta writes and uses them: strict 32- and 64-byte encodings, the subgroup test, tables for
//! fixed bases, and generators that nobody knows a logarithm of.
//!
//! Every point that comes from outside is decoded here and nowhere else, because arkworks accepts more than one encoding
//! of infinity and, asked to, points outside the subgroup.

use std::sync::LazyLock;

use ark_bn254::{Fq, Fr, G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ec::bn::BnConfig;
use ark_ec::short_weierstrass::{Affine, Projective, SWCurveConfig};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{AdditiveGroup, PrimeField, Zero};
use ark_serialize::{CanonicalDeserialize, CanonicalSerialize, Compress, Validate};
use sha2::{Digest as _, Sha256};

use crate::additions::{Coordinate, Lists};

/// Bytes of a G1 point.
pub const G1_BYTES: usize = 32;
/// Bytes of a G2 point.
pub const G2_BYTES: usize = 64;

/// Why bytes are not a group element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PointError {
    /// No point of the curve has this encoding (a coordinate at or above the modulus is refused too).
    #[error("the bytes are no point of the curve; send the point as it was made")]
    NotOnCurve,
    /// The point at infinity, which no honest prover sends.
    #[error("the point at infinity is refused; make a new presentation")]
    Infinity,
    /// A point of the twist outside the group of prime order.
    #[error("the point is outside the subgroup; send the point as it was made")]
    NotInSubgroup,
    /// A second encoding of a point.
    #[error("the point is not in its one encoding; send the point as it was made")]
    NotCanonical,
}

/// The 32-byte compressed encoding of a G1 point (arkworks: x little-endian, sign of y in the top bit).
pub fn g1_to_bytes(point: &G1Affine) -> [u8; G1_BYTES] {
    let mut out = [0; G1_BYTES];
    let written = point.serialize_compressed(&mut out[..]);
    debug_assert!(written.is_ok(), "a G1 point is 32 bytes");
    out
}

/// The 64-byte compressed encoding of a G2 point.
pub fn g2_to_bytes(point: &G2Affine) -> [u8; G2_BYTES] {
    let mut out = [0; G2_BYTES];
    let written = point.serialize_compressed(&mut out[..]);
    debug_assert!(written.is_ok(), "a G2 point is 64 bytes");
    out
}

/// Reads a G1 point other than infinity from its one encoding. G1 is the whole curve, so there is no subgroup test.
pub fn g1_from_bytes(bytes: &[u8; G1_BYTES]) -> Result<G1Affine, PointError> {
    let point = G1Affine::deserialize_with_mode(&bytes[..], Compress::Yes, Validate::Yes)
        .map_err(|_| PointError::NotOnCurve)?;
    if point.is_zero() {
        return Err(PointError::Infinity);
    }
    if g1_to_bytes(&point) != *bytes {
        return Err(PointError::NotCanonical);
    }
    Ok(point)
}

/// Reads a G2 point other than infinity, of the group of prime order, from its one encoding.
pub fn g2_from_bytes(bytes: &[u8; G2_BYTES]) -> Result<G2Affine, PointError> {
    let point = twist_from_bytes(bytes)?;
    if !g2_in_subgroup(&point) {
        return Err(PointError::NotInSubgroup);
    }
    Ok(point)
}

/// Reads a point of the twist other than infinity from its one encoding; *not* tested to be in G2. For a verifier alone, whose
/// Miller loop tests it.
pub(crate) fn twist_from_bytes(bytes: &[u8; G2_BYTES]) -> Result<G2Affine, PointError> {
    // Decompression puts the point on the curve; `Validate` would add arkworks' slower subgroup test.
    let point = G2Affine::deserialize_with_mode(&bytes[..], Compress::Yes, Validate::No)
        .map_err(|_| PointError::NotOnCurve)?;
    if point.is_zero() {
        return Err(PointError::Infinity);
    }
    if g2_to_bytes(&point) != *bytes {
        return Err(PointError::NotCanonical);
    }
    Ok(point)
}

/// Whether a point of the twist is in the group of order r: `[x+1]Q + ψ([x]Q) + ψ²([x]Q) = ψ³([2x]Q)`, with the curve's
/// parameter x and the endomorphism ψ (untwist, Frobenius, twist). Half the doublings of arkworks' test.
/// Source: Dai, Lin, Zhao, Zhou, ePrint 2022/348, for BN curves; gnark-crypto uses the same.
pub fn g2_in_subgroup(point: &G2Affine) -> bool {
    let x_point = point.mul_bigint(<ark_bn254::Config as BnConfig>::X);
    let once = psi(&x_point);
    let twice = psi(&once);
    let thrice = psi(&twice.double());
    x_point + point + once + twice == thrice
}

/// ψ in Jacobian coordinates: conjugation commutes with x = X/Z² and y = Y/Z³.
fn psi(point: &G2Projective) -> G2Projective {
    let mut out = *point;
    out.x.conjugate_in_place();
    out.y.conjugate_in_place();
    out.z.conjugate_in_place();
    out.x *= <ark_bn254::Config as BnConfig>::TWIST_MUL_BY_Q_X;
    out.y *= <ark_bn254::Config as BnConfig>::TWIST_MUL_BY_Q_Y;
    out
}

/// A point of G1 that nobody knows a logarithm of: try-and-increment over
/// x = SHA-256(0 ‖ tag ‖ counter) ‖ SHA-256(1 ‖ tag ‖ counter) mod p, counter = 0, 1, …; of the two points with the first x
/// that is on the curve, the one with the smaller y. The tag is public, so the varying time tells nothing.
pub fn hash_to_g1(tag: &str) -> G1Affine {
    let mut counter = 0u32;
    loop {
        let mut wide = [0; 64];
        for (half, out) in (0u8..).zip(wide.chunks_exact_mut(32)) {
            let mut hash = Sha256::new();
            hash.update([half]);
            hash.update((tag.len() as u64).to_be_bytes());
            hash.update(tag.as_bytes());
            hash.update(counter.to_be_bytes());
            out.copy_from_slice(&hash.finalize());
        }
        let x = Fq::from_le_bytes_mod_order(&wide);
        if let Some(point) = G1Affine::get_point_from_x_unchecked(x, false) {
            return point;
        }
        counter = counter.wrapping_add(1);
    }
}

/// The two generators of the commitments to disclosed attributes: commitment = value·`value` + blinding·`blinding`.
#[derive(Debug, Clone, Copy)]
pub struct Pedersen {
    /// Takes the attribute.
    pub value: G1Affine,
    /// Takes the blinding.
    pub blinding: G1Affine,
}

impl Pedersen {
    /// The generators, hashed to the curve once per process.
    pub fn get() -> &'static Self {
        static GENERATORS: LazyLock<Pedersen> = LazyLock::new(|| Pedersen {
            value: hash_to_g1("bauta/v1/disclosure-value"),
            blinding: hash_to_g1("bauta/v1/disclosure-blinding"),
        });
        &GENERATORS
    }

    /// The commitment to a value.
    pub fn commit(&self, value: &Fr, blinding: &Fr) -> G1Affine {
        (self.value.into_group() * value + self.blinding.into_group() * blinding).into_affine()
    }
}

/// A base that is multiplied often, with or without a table of its multiples. With a table of signed windows of w bits a
/// multiplication is ⌈255/w⌉ additions and no doubling. Table look-ups are not constant-time.
#[derive(Clone)]
pub struct FixedBase<P: SWCurveConfig> {
    point: Affine<P>,
    window: usize,
    /// For each window, 1..=2^(w−1) times the point shifted to it; empty without a table.
    table: Vec<Affine<P>>,
}

/// A fixed base of G1.
pub type FixedG1 = FixedBase<ark_bn254::g1::Config>;
/// A fixed base of G2.
pub type FixedG2 = FixedBase<ark_bn254::g2::Config>;

impl<P: SWCurveConfig<ScalarField = Fr>> FixedBase<P> {
    /// The base without a table: made at once, multiplied slower.
    pub fn plain(point: Affine<P>) -> Self {
        Self {
            point,
            window: 0,
            table: Vec::new(),
        }
    }

    /// The base with a table for windows of `window` bits (clamped to 2..=12): 2^(w−1)·⌈255/w⌉ points.
    pub fn with_table(point: Affine<P>, window: usize) -> Self {
        let window = window.clamp(2, 12);
        let mut multiples = Vec::with_capacity(windows(window) << (window - 1));
        let mut shifted: Projective<P> = point.into_group();
        for _ in 0..windows(window) {
            let mut multiple = shifted;
            for _ in 0..1usize << (window - 1) {
                multiples.push(multiple);
                multiple += shifted;
            }
            for _ in 0..window {
                shifted.double_in_place();
            }
        }
        Self {
            point,
            window,
            table: Projective::normalize_batch(&multiples),
        }
    }

    /// The base itself.
    pub fn point(&self) -> &Affine<P> {
        &self.point
    }

    /// Adds k times the base to `sum`.
    pub fn add_multiple(&self, sum: &mut Projective<P>, k: &Fr) {
        if self.table.is_empty() {
            // The projective product takes the GLV path where the curve has one; the affine one does not.
            *sum += self.point.into_group() * k;
        } else {
            self.entries(k, |entry| *sum += entry);
        }
    }

    /// Adds points to the open list whose sum is k times the base.
    pub fn push_multiple(&self, list: &mut Lists<P>, k: &Fr)
    where
        P::BaseField: Coordinate,
    {
        if self.table.is_empty() {
            list.push((self.point.into_group() * k).into_affine());
        } else {
            self.entries(k, |entry| list.push(entry));
        }
    }

    /// The most points that [`Self::push_multiple`] adds.
    pub fn points_per_multiple(&self) -> usize {
        match self.table.is_empty() {
            true => 1,
            false => windows(self.window),
        }
    }

    /// The entries of the table that k times the base is the sum of.
    #[inline(always)]
    fn entries(&self, k: &Fr, mut take: impl FnMut(Affine<P>)) {
        let half = 1usize << (self.window - 1);
        let limbs = k.into_bigint().0;
        let mut carry = 0;
        for (index, row) in self.table.chunks_exact(half).enumerate() {
            let digit = bits(&limbs, index * self.window, self.window) + carry;
            carry = usize::from(digit > half);
            if carry == 1 {
                let distance = (1 << self.window) - digit;
                if let Some(multiple) = distance.checked_sub(1).and_then(|i| row.get(i)) {
                    take(-*multiple);
                }
            } else if let Some(multiple) = digit.checked_sub(1).and_then(|i| row.get(i)) {
                take(*multiple);
            }
        }
    }

    /// k times the base.
    pub fn multiple(&self, k: &Fr) -> Projective<P> {
        let mut sum = Projective::zero();
        self.add_multiple(&mut sum, k);
        sum
    }
}

impl<P: SWCurveConfig> std::fmt::Debug for FixedBase<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FixedBase")
            .field("point", &self.point)
            .field("window", &self.window)
            .finish_non_exhaustive()
    }
}

/// Windows that hold 254 bits and one to spare, so that the last one's carry stays inside.
fn windows(window: usize) -> usize {
    254 / window + 1
}

/// `count` ≤ 12 bits of a 256-bit little-endian number from bit `start`.
fn bits(limbs: &[u64; 4], start: usize, count: usize) -> usize {
    let (limb, offset) = (start / 64, start % 64);
    let low = limbs.get(limb).copied().unwrap_or(0) >> offset;
    let high = if offset == 0 {
        0
    } else {
        limbs.get(limb + 1).copied().unwrap_or(0) << (64 - offset)
    };
    ((low | high) & ((1 << count) - 1)) as usize
}

/// Sum of products of points and scalars, for code that multiplies seldom. Pairs beyond the shorter list are refused by
/// type: the caller gives pairs.
pub fn sum_of_products(terms: &[(G1Affine, Fr)]) -> G1Projective {
    terms.iter().fold(G1Projective::zero(), |sum, (point, k)| {
        sum + point.into_group() * k
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_bn254::Fq2;
    use ark_ff::{Field, UniformRand};
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    fn rng() -> ChaCha20Rng {
        ChaCha20Rng::seed_from_u64(7)
    }

    #[test]
    fn points_have_one_encoding() {
        let mut rng = rng();
        for _ in 0..20 {
            let p = G1Projective::rand(&mut rng).into_affine();
            assert_eq!(g1_from_bytes(&g1_to_bytes(&p)), Ok(p));
            let q = G2Projective::rand(&mut rng).into_affine();
            assert_eq!(g2_from_bytes(&g2_to_bytes(&q)), Ok(q));
        }
    }

    #[test]
    fn infinity_in_any_dress_is_refused() {
        let zero = g1_to_bytes(&G1Affine::identity());
        assert_eq!(g1_from_bytes(&zero), Err(PointError::Infinity));
        assert_eq!(
            g2_from_bytes(&g2_to_bytes(&G2Affine::identity())),
            Err(PointError::Infinity)
        );
        let mut dressed = g1_to_bytes(&G1Affine::generator());
        dressed[31] |= 1 << 6;
        assert!(g1_from_bytes(&dressed).is_err());
        let mut dressed = g2_to_bytes(&G2Affine::generator());
        dressed[63] |= 1 << 6;
        assert!(g2_from_bytes(&dressed).is_err());
    }

    #[test]
    fn a_coordinate_plus_the_modulus_is_refused() {
        // x + p fits in 254 bits for small x; it must not be read as x.
        let mut bytes = [0u8; 32];
        let modulus = Fq::MODULUS.0;
        for (chunk, limb) in bytes.chunks_exact_mut(8).zip(modulus) {
            chunk.copy_from_slice(&limb.to_le_bytes());
        }
        bytes[0] = bytes[0].wrapping_add(1); // x = 1, the generator's
        assert_eq!(g1_from_bytes(&bytes), Err(PointError::NotOnCurve));
    }

    #[test]
    fn a_point_off_the_curve_or_the_subgroup_is_refused() {
        let mut rng = rng();
        let mut off = 0;
        for _ in 0..20 {
            let bytes = {
                let mut b = [0; 32];
                Fq::rand(&mut rng).serialize_compressed(&mut b[..]).unwrap();
                b
            };
            off += usize::from(g1_from_bytes(&bytes) == Err(PointError::NotOnCurve));
        }
        assert!(off > 3);
        let outside = (0..)
            .find_map(|_| G2Affine::get_point_from_x_unchecked(Fq2::rand(&mut rng), true))
            .unwrap();
        assert_eq!(
            g2_from_bytes(&g2_to_bytes(&outside)),
            Err(PointError::NotInSubgroup)
        );
    }

    #[test]
    fn the_fast_subgroup_test_agrees_with_arkworks() {
        let mut rng = rng();
        let mut seen = 0;
        while seen < 60 {
            let Some(q) = G2Affine::get_point_from_x_unchecked(Fq2::rand(&mut rng), false) else {
                continue;
            };
            seen += 1;
            assert_eq!(
                g2_in_subgroup(&q),
                q.is_in_correct_subgroup_assuming_on_curve()
            );
            let inside = q.clear_cofactor();
            assert!(g2_in_subgroup(&inside) && inside.is_in_correct_subgroup_assuming_on_curve());
            // Points of small order times a good one: [r]q has the cofactor's order.
            let small = q.mul_bigint(Fr::MODULUS).into_affine();
            let mixed = (small + inside).into_affine();
            assert_eq!(
                g2_in_subgroup(&mixed),
                mixed.is_in_correct_subgroup_assuming_on_curve()
            );
        }
        assert!(g2_in_subgroup(&G2Affine::generator()));
    }

    #[test]
    fn tables_multiply_like_arkworks() {
        let mut rng = rng();
        let p = G1Projective::rand(&mut rng);
        let q = G2Projective::rand(&mut rng);
        let mut scalars = vec![
            Fr::ZERO,
            Fr::ONE,
            -Fr::ONE,
            Fr::from(u64::MAX),
            -Fr::from(32u64),
        ];
        scalars.extend((0..10).map(|_| Fr::rand(&mut rng)));
        let listed = |base: &FixedG1, k: &Fr| {
            let mut list = Lists::with_capacity(base.points_per_multiple());
            base.push_multiple(&mut list, k);
            list.close();
            list.sums()
        };
        for window in 2..=9 {
            let p_base = FixedG1::with_table(p.into_affine(), window);
            let q_base = FixedG2::with_table(q.into_affine(), window);
            for k in &scalars {
                assert_eq!(p_base.multiple(k), p * k, "window {window}");
                assert_eq!(q_base.multiple(k), q * k, "window {window}");
                let plain = FixedG1::plain(p.into_affine());
                assert_eq!(plain.multiple(k), p * k);
                for base in [&p_base, &plain] {
                    assert_eq!(listed(base, k), [(p * k).into_affine()]);
                }
            }
        }
    }

    #[test]
    fn generators_differ_and_stay() {
        let Pedersen { value, blinding } = *Pedersen::get();
        assert_ne!(value, blinding);
        assert_ne!(value, -blinding);
        assert!(value.is_on_curve() && blinding.is_on_curve());
        assert_eq!(value, hash_to_g1("bauta/v1/disclosure-value"));
        assert_ne!(value, G1Affine::generator());
    }
}
