//! Multi-scalar multiplication by buckets (Pippenger) with affine buckets, filled by [`Lists`]: half the products of
//! arkworks' projective ones. Scalars above r/2 are taken negative, and a small scalar has few digits, so that the bits and
//! small numbers that a witness is full of cost an addition or two. Times depend on the scalars, so on the witness.

use ark_bn254::Fr;
use ark_ec::AffineRepr;
use ark_ec::short_weierstrass::{Affine, Projective, SWCurveConfig};
use ark_ff::{AdditiveGroup, BigInteger, PrimeField, Zero};
#[cfg(feature = "parallel")]
use rayon::prelude::*;
use zeroize::Zeroizing;

use bauta_statement::additions::{Coordinate, Lists};

/// Bits of a scalar without its sign.
const BITS: usize = 253;

/// Scalars in signed digits of a number of bits, ready to multiply several lists of bases.
pub(crate) struct Digits {
    width: usize,
    count: usize,
    /// Window by window from the lowest, a digit per scalar, from −2^(width−1) to 2^(width−1).
    digits: Zeroizing<Vec<i16>>,
}

impl Digits {
    /// Takes scalars apart.
    pub(crate) fn new(scalars: &[Fr]) -> Self {
        let magnitudes: Zeroizing<Vec<(bool, [u64; 4])>> =
            Zeroizing::new(scalars.iter().map(magnitude).collect());
        // Small ones fill the lowest window alone.
        let large = magnitudes
            .iter()
            .filter(|(_, [_, b, c, d])| b | c | d != 0)
            .count();
        let width = width(large);
        let count = scalars.len();
        let mut digits = Zeroizing::new(vec![0; count * (BITS / width + 1)]);
        for (place, (negative, magnitude)) in magnitudes.iter().enumerate() {
            let mut carry = 0;
            for (window, row) in digits.chunks_exact_mut(count).enumerate() {
                let digit = bits(magnitude, window * width, width) + carry;
                // The topmost window has room for the carry: BITS is below (BITS / width + 1)·width.
                carry = i32::from(digit > 1 << (width - 1));
                let digit = digit - (carry << width);
                if let Some(out) = row.get_mut(place) {
                    *out = (if *negative { -digit } else { digit }) as i16;
                }
            }
        }
        Self {
            width,
            count,
            digits,
        }
    }

    /// Σ kᵢPᵢ. Bases beyond the scalars are not read; the caller gives as many.
    pub(crate) fn multiply<P>(&self, bases: &[Affine<P>]) -> Projective<P>
    where
        P: SWCurveConfig<ScalarField = Fr>,
        P::BaseField: Coordinate,
    {
        debug_assert_eq!(bases.len(), self.count);
        if self.count == 0 {
            return Projective::zero();
        }
        // Windows go together, so that short ones share inversions, as far as their points stay in the cache.
        let together = (16_384 / self.count).clamp(1, self.digits.len() / self.count);
        let sums = |digits: &[i16]| window_sums(bases, digits, self.width);
        #[cfg(feature = "parallel")]
        let windows: Vec<_> = {
            let windows = self.digits.len() / self.count;
            let together = together.min(windows.div_ceil(rayon::current_num_threads()));
            self.digits
                .par_chunks(self.count * together)
                .map(sums)
                .collect()
        };
        #[cfg(not(feature = "parallel"))]
        let windows: Vec<_> = self
            .digits
            .chunks(self.count * together)
            .map(sums)
            .collect();
        let mut total = Projective::zero();
        for sum in windows.iter().flatten().rev() {
            total.double_in_place();
            total += sum;
        }
        total
    }
}

/// For each bit of the digits of each window, from the lowest, the sum of the points whose digit has it.
fn window_sums<P: SWCurveConfig>(
    bases: &[Affine<P>],
    digits: &[i16],
    width: usize,
) -> Vec<Affine<P>>
where
    P::BaseField: Coordinate,
{
    let mut buckets = Lists::with_capacity(digits.len());
    for digits in digits.chunks_exact(bases.len()) {
        fill_buckets(&mut buckets, bases, digits, width);
    }
    let buckets = buckets.sums();
    let mut by_bit = Lists::with_capacity(buckets.len() * width / 2 + 1);
    for buckets in buckets.chunks_exact(1 << (width - 1)) {
        for bit in 0..width {
            for (digit, bucket) in (1usize..).zip(buckets) {
                if digit >> bit & 1 == 1 && !bucket.is_zero() {
                    by_bit.push(*bucket);
                }
            }
            by_bit.close();
        }
    }
    by_bit.sums()
}

/// Lists the points of each digit's magnitude, from 1 to 2^(width−1).
fn fill_buckets<P: SWCurveConfig>(
    buckets: &mut Lists<P>,
    bases: &[Affine<P>],
    digits: &[i16],
    width: usize,
) where
    P::BaseField: Coordinate,
{
    // Places sorted by digit: counted, then put in place.
    let mut ends = Zeroizing::new(vec![0usize; (1 << (width - 1)) + 1]);
    for digit in digits {
        if let Some(count) = ends.get_mut(usize::from(digit.unsigned_abs())) {
            *count += 1;
        }
    }
    let mut start = 0;
    for end in ends.iter_mut() {
        (*end, start) = (start, start + *end);
    }
    let mut order = Zeroizing::new(vec![0u32; digits.len()]);
    for (place, digit) in (0u32..).zip(digits) {
        if let Some(next) = ends.get_mut(usize::from(digit.unsigned_abs())) {
            if let Some(slot) = order.get_mut(*next) {
                *slot = place;
            }
            *next += 1;
        }
    }
    let mut start = ends.first().copied().unwrap_or(0); // digit 0 counts nothing
    for end in ends.iter().skip(1) {
        for place in order.get(start..*end).unwrap_or_default() {
            let place = *place as usize;
            if let (Some(base), Some(digit)) = (bases.get(place), digits.get(place))
                && !base.is_zero()
            {
                buckets.push(if *digit < 0 { -*base } else { *base });
            }
        }
        buckets.close();
        start = *end;
    }
}

/// The width that takes the fewest additions for n scalars of full size: n per window to fill 2^(width−1) buckets, and half of
/// these for each bit to empty them.
fn width(n: usize) -> usize {
    (2..=13)
        .min_by_key(|width| (BITS / width + 1) * (n + (width << (width - 2))))
        .unwrap_or(2)
}

/// Sign and magnitude: k or −(r − k), whichever is shorter.
fn magnitude(k: &Fr) -> (bool, [u64; 4]) {
    let k = k.into_bigint();
    let mut negated = Fr::MODULUS;
    negated.sub_with_borrow(&k);
    if negated < k {
        (true, negated.0)
    } else {
        (false, k.0)
    }
}

/// `count` ≤ 13 bits from bit `start`.
fn bits(limbs: &[u64; 4], start: usize, count: usize) -> i32 {
    let (limb, offset) = (start / 64, start % 64);
    let low = limbs.get(limb).copied().unwrap_or(0) >> offset;
    let high = match offset {
        0 => 0,
        _ => limbs.get(limb + 1).copied().unwrap_or(0) << (64 - offset),
    };
    ((low | high) & ((1 << count) - 1)) as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_bn254::{g1, g2};
    use ark_ec::CurveGroup;
    use ark_ff::{Field, UniformRand};
    use rand_chacha::ChaCha20Rng;
    use rand_core::{RngCore, SeedableRng};

    /// As a witness has them: bits, small numbers and their negatives, the largest, and any.
    fn scalars(rng: &mut ChaCha20Rng, count: usize) -> Vec<Fr> {
        let half = Fr::from(2u64).inverse().unwrap();
        (0..count)
            .map(|_| match rng.next_u32() % 12 {
                0 => Fr::ZERO,
                1 => Fr::ONE,
                2 => -Fr::ONE,
                3 => Fr::from(rng.next_u32()),
                4 => -Fr::from(rng.next_u64()),
                5 => half,
                6 => -half,
                7 => Fr::from(1u64 << (rng.next_u32() % 64)),
                _ => Fr::rand(rng),
            })
            .collect()
    }

    fn agrees<P: SWCurveConfig<ScalarField = Fr>>(counts: &[usize])
    where
        P::BaseField: Coordinate,
    {
        let mut rng = ChaCha20Rng::seed_from_u64(71);
        for count in counts {
            let mut bases: Vec<Affine<P>> = (0..*count)
                .map(|_| Projective::rand(&mut rng).into_affine())
                .collect();
            // A query has points at infinity and repeated points.
            if let [first, .., last] = bases.as_mut_slice() {
                *first = Affine::identity();
                *last = -*first;
            }
            if let [.., a, b, _] = bases.as_mut_slice() {
                *a = *b;
            }
            let scalars = scalars(&mut rng, *count);
            let expected = bases
                .iter()
                .zip(&scalars)
                .fold(Projective::zero(), |sum, (base, k)| sum + *base * k);
            assert_eq!(Digits::new(&scalars).multiply(&bases), expected, "{count}");
        }
    }

    #[test]
    fn agrees_with_arkworks() {
        agrees::<g1::Config>(&[0, 1, 2, 3, 10, 60, 700]);
        agrees::<g2::Config>(&[1, 40, 300]);
    }

    #[test]
    fn every_width_holds_every_scalar() {
        let extremes = [Fr::ZERO, Fr::ONE, -Fr::ONE, Fr::from(u64::MAX)];
        let half = Fr::from(2u64).inverse().unwrap();
        for width in 2..=13 {
            for k in extremes.iter().chain([&half, &-half]) {
                let (_, limbs) = magnitude(k);
                let windows = BITS / width + 1;
                let mut carry = 0;
                for window in 0..windows {
                    let digit = bits(&limbs, window * width, width) + carry;
                    carry = i32::from(digit > 1 << (width - 1));
                }
                assert_eq!(carry, 0, "width {width}");
            }
        }
        assert!(width(0) >= 2 && width(100_000) <= 13);
    }
}
