//! Sums of products in G1 with scalars in two halves, k = a + λb, where λ is the eigenvalue of the curve's endomorphism:
//! random weights are *made* of two 64-bit halves, so that multiplying by one takes 64 doublings, and full scalars are
//! split into two of 127 bits. Times depend on scalars; everything here is public.

use ark_bn254::g1::Config as G1Config;
use ark_bn254::{Fr, G1Affine, G1Projective};
use ark_ec::scalar_mul::glv::GLVConfig;
use ark_ff::{AdditiveGroup, PrimeField, Zero};
use sha2::{Digest as _, Sha256};

use bauta_statement::additions::Lists;

/// One half: sign and magnitude.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Half {
    negative: bool,
    magnitude: u128,
}

/// A scalar in two halves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Halves([Half; 2]);

/// A weight, a + λb with small a and b. Different pairs below 2^64 are different scalars, because the shortest vector of
/// the lattice {(a, b): a + λb = 0} is longer than 2^126.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Weight {
    a: i128,
    b: i128,
}

impl Weight {
    pub(crate) const ONE: Self = Self { a: 1, b: 0 };

    pub(crate) fn minus(self, other: Self) -> Self {
        Self {
            a: self.a - other.a,
            b: self.b - other.b,
        }
    }

    pub(crate) fn negated(self) -> Self {
        Self {
            a: -self.a,
            b: -self.b,
        }
    }

    /// The scalar.
    pub(crate) fn scalar(self) -> Fr {
        Fr::from(self.a) + G1Config::LAMBDA * Fr::from(self.b)
    }

    pub(crate) fn halves(self) -> Halves {
        Halves([self.a, self.b].map(|half| Half {
            negative: half < 0,
            magnitude: half.unsigned_abs(),
        }))
    }
}

impl Halves {
    /// Splits any scalar. The lattice's reduced basis bounds both halves by 2^127.
    pub(crate) fn of(k: &Fr) -> Self {
        let (first, second) = G1Config::scalar_decomposition(*k);
        Self([first, second].map(|(positive, magnitude)| {
            let [low, high, top, _] = magnitude.into_bigint().0;
            debug_assert_eq!(top, 0, "halves are below 2^127");
            Half {
                negative: !positive,
                magnitude: u128::from(low) | u128::from(high) << 64,
            }
        }))
    }
}

/// Weights derived from the seeds of all items, which each depend on every byte that was read.
///
/// They come from a hash, not from a generator, so that a verdict is a pure function of what is verified: signers and
/// auditors always agree. To have a wrong batch accepted one must find bytes whose hash gives one of the few weights (2^-128
/// each) that hide the error.
pub(crate) struct Weights {
    seed: [u8; 32],
    counter: u64,
    second: Option<Weight>,
}

impl Weights {
    pub(crate) fn new<'a>(seeds: impl ExactSizeIterator<Item = &'a [u8; 32]>) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"bauta/v1/batch-weights");
        hash.update((seeds.len() as u64).to_be_bytes());
        for seed in seeds {
            hash.update(seed);
        }
        Self {
            seed: hash.finalize().into(),
            counter: 0,
            second: None,
        }
    }

    /// The next weight: two 64-bit halves.
    pub(crate) fn next(&mut self) -> Weight {
        if let Some(second) = self.second.take() {
            return second;
        }
        let mut hash = Sha256::new();
        hash.update(self.seed);
        hash.update(self.counter.to_be_bytes());
        self.counter += 1;
        let block: [u8; 32] = hash.finalize().into();
        let mut words = block.chunks_exact(8).map(|chunk| {
            chunk
                .iter()
                .fold(0i128, |word, byte| word << 8 | i128::from(*byte))
        });
        let mut weight = || Weight {
            a: words.next().unwrap_or_default(),
            b: words.next().unwrap_or_default(),
        };
        let first = weight();
        self.second = Some(weight());
        first
    }
}

/// A product in a sum.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Term {
    pub(crate) point: G1Affine,
    pub(crate) k: Halves,
}

/// Σ kᵢPᵢ of each group, by signed windows with shared doublings (Straus): odd multiples of each point, and for each group and
/// place of the digits a list of the multiples to add there. All groups share the inversions.
pub(crate) fn sums(groups: &[&[Term]]) -> Vec<G1Projective> {
    let points: Vec<_> = groups
        .iter()
        .flat_map(|terms| terms.iter().map(|term| term.point))
        .collect();
    let multiples = odd_multiples(points);
    let mut multiples = multiples.iter();
    let mut places = Lists::<G1Config>::with_capacity(multiples.len() * 48);
    let mut lengths = Vec::with_capacity(groups.len());
    for terms in groups {
        let digits: Vec<_> = terms
            .iter()
            .zip(&mut multiples)
            .flat_map(|(term, plain)| {
                let Halves([a, b]) = term.k;
                let mirrored = plain.map(|point| G1Config::endomorphism_affine(&point));
                [(signed_digits(a), *plain), (signed_digits(b), mirrored)]
            })
            .collect();
        let longest = digits
            .iter()
            .map(|(digits, _)| digits.len())
            .max()
            .unwrap_or(0);
        for place in 0..longest {
            for (digits, row) in &digits {
                let digit = digits.get(place).copied().unwrap_or(0);
                if let Some(multiple) = row
                    .get(usize::from(digit.unsigned_abs()) / 2)
                    .filter(|_| digit != 0)
                {
                    places.push(if digit > 0 { *multiple } else { -*multiple });
                }
            }
            places.close();
        }
        lengths.push(longest);
    }
    let places = places.sums();
    let mut places = places.iter();
    lengths
        .into_iter()
        .map(|length| {
            let group: Vec<_> = places.by_ref().take(length).collect();
            group
                .into_iter()
                .rev()
                .fold(G1Projective::zero(), |total, sum| total.double() + sum)
        })
        .collect()
}

/// P, 3P, 5P, 7P of each point: what signed digits of four bits ask for.
fn odd_multiples(points: Vec<G1Affine>) -> Vec<[G1Affine; 4]> {
    let add = |a: &[G1Affine], b: &[G1Affine]| {
        let mut pairs = Lists::<G1Config>::with_capacity(2 * a.len());
        for (a, b) in a.iter().zip(b) {
            pairs.push(*a);
            pairs.push(*b);
            pairs.close();
        }
        pairs.sums()
    };
    let double = add(&points, &points);
    let three = add(&points, &double);
    let five = add(&three, &double);
    let seven = add(&five, &double);
    points
        .into_iter()
        .zip(three)
        .zip(five.into_iter().zip(seven))
        .map(|((one, three), (five, seven))| [one, three, five, seven])
        .collect()
}

/// Non-adjacent digits of width four: each 0 or odd in −7..=7, at most one of four in a row not 0; lowest first.
fn signed_digits(half: Half) -> Vec<i8> {
    let mut rest = half.magnitude;
    let mut digits = Vec::with_capacity(129);
    while rest != 0 {
        let mut digit = 0i8;
        if rest & 1 == 1 {
            digit = (rest & 15) as i8;
            if digit > 8 {
                digit -= 16;
            }
            // A negative digit adds at most 7; magnitudes below 2^127 leave room.
            rest = rest.wrapping_sub_signed(i128::from(digit));
        }
        digits.push(if half.negative { -digit } else { digit });
        rest >>= 1;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ec::{AffineRepr, CurveGroup};
    use ark_ff::{Field, UniformRand};
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    #[test]
    fn sums_agree_with_arkworks() {
        let mut rng = ChaCha20Rng::seed_from_u64(41);
        let mut scalars = vec![
            Fr::ZERO,
            Fr::ONE,
            -Fr::ONE,
            G1Config::LAMBDA,
            -G1Config::LAMBDA,
            Fr::from(u128::MAX),
        ];
        scalars.extend((0..40).map(|_| Fr::rand(&mut rng)));
        let mut terms = Vec::new();
        let mut products = Vec::new();
        let mut expected = G1Projective::zero();
        for k in &scalars {
            let point = G1Projective::rand(&mut rng).into_affine();
            let term = Term {
                point,
                k: Halves::of(k),
            };
            let product = point.into_group() * k;
            assert_eq!(sums(&[&[term]]), [product]);
            products.push(product);
            terms.push(term);
            expected += point.into_group() * k;
        }
        let mut weights = Weights::new([[1; 32]].iter());
        for _ in 0..40 {
            let weight = weights.next();
            let other = weights.next();
            let mixed = weight.minus(other).minus(Weight::ONE).negated();
            assert_eq!(mixed.scalar(), other.scalar() + Fr::ONE - weight.scalar());
            for weight in [weight, mixed] {
                let point = G1Projective::rand(&mut rng).into_affine();
                terms.push(Term {
                    point,
                    k: weight.halves(),
                });
                expected += point.into_group() * weight.scalar();
            }
        }
        let twice: Vec<_> = terms.iter().chain(&terms).copied().collect();
        let zero = G1Projective::zero();
        let groups = [&terms[..], &[], &terms[..1], &twice, &terms[3..4], &[]];
        let expected = [
            expected,
            zero,
            products[0],
            expected.double(),
            products[3],
            zero,
        ];
        assert_eq!(sums(&groups), expected);
        assert!(sums(&[]).is_empty());
    }

    #[test]
    fn weights_follow_every_seed() {
        let draw = |seeds: &[[u8; 32]]| Weights::new(seeds.iter()).next();
        let first = draw(&[[1; 32], [2; 32]]);
        assert_eq!(first, draw(&[[1; 32], [2; 32]]));
        assert_ne!(first, draw(&[[1; 32], [3; 32]]));
        assert_ne!(first, draw(&[[2; 32], [1; 32]]));
        assert_ne!(first, draw(&[[1; 32]]));
        let mut weights = Weights::new([[0; 32]].iter());
        let drawn: Vec<_> = (0..20).map(|_| weights.next()).collect();
        for (i, weight) in drawn.iter().enumerate() {
            assert!(!drawn[i + 1..].contains(weight));
            assert!(weight.a >> 64 == 0 && weight.b >> 64 == 0);
        }
    }
}
