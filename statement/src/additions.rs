//! Sums of many affine points at once. An affine addition costs one inversion, and a batch of inversions costs one for all and
//! three products each (Montgomery), so that an addition takes half the products of a projective one. Every sum of
//! products here ends in such sums: of table entries, of a bucket's points.
//!
//! Every pair of points is added rightly: equal ones, opposite ones and infinity are told apart. Times depend on the points.
//! The points added may tell a secret scalar, so the buffers are erased.

use ark_bn254::{Fq, Fq2};
use ark_ec::AffineRepr;
use ark_ec::short_weierstrass::{Affine, SWCurveConfig};
use ark_ff::{AdditiveGroup, Field, Zero};
use zeroize::Zeroize;

use crate::fp2;

/// The field of a curve's coordinates, with the fastest product that there is.
pub trait Coordinate: Field {
    /// self·other.
    fn times(&self, other: &Self) -> Self;
    /// self².
    fn squared(&self) -> Self;
    /// Inverts all elements; zeros stay.
    fn invert_all(elements: &mut [Self]);
}

impl Coordinate for Fq {
    #[inline(always)]
    fn times(&self, other: &Self) -> Self {
        *self * other
    }

    #[inline(always)]
    fn squared(&self) -> Self {
        *self * self
    }

    fn invert_all(elements: &mut [Self]) {
        // aᵢ becomes a₀…aᵢ₋₁ on the way up, and its inverse on the way down.
        let mut product = Fq::ONE;
        let mut elements_below: Vec<(&mut Fq, Fq)> = Vec::with_capacity(elements.len());
        for element in elements.iter_mut().filter(|element| !element.is_zero()) {
            let below = product;
            product *= &*element;
            elements_below.push((element, below));
        }
        let mut inverse = product.inverse().unwrap_or_default(); // a product of no zeros
        for (element, below) in elements_below.iter_mut().rev() {
            let next = inverse * **element;
            **element = inverse * *below;
            inverse = next;
            below.zeroize();
        }
    }
}

impl Coordinate for Fq2 {
    #[inline(always)]
    fn times(&self, other: &Self) -> Self {
        fp2::product(self, other)
    }

    #[inline(always)]
    fn squared(&self) -> Self {
        fp2::square(self)
    }

    /// 1/(a + bu) = (a − bu)/(a² + b²). −1 is no square in Fq, so a norm is 0 only if its element is.
    fn invert_all(elements: &mut [Self]) {
        let mut norms: Vec<Fq> = elements
            .iter()
            .map(|element| element.c0 * element.c0 + element.c1 * element.c1)
            .collect();
        Fq::invert_all(&mut norms);
        for (element, inverse) in elements.iter_mut().zip(&norms) {
            element.conjugate_in_place();
            element.mul_assign_by_fp(inverse);
        }
        norms.zeroize();
    }
}

/// Lists of points, each to be summed.
pub struct Lists<P: SWCurveConfig> {
    points: Vec<Affine<P>>,
    lengths: Vec<usize>,
    /// Points of closed lists.
    closed: usize,
}

impl<P: SWCurveConfig> Lists<P>
where
    P::BaseField: Coordinate,
{
    /// No lists, with room for this many points: with enough, no copy of them is left behind.
    pub fn with_capacity(points: usize) -> Self {
        Self {
            points: Vec::with_capacity(points),
            lengths: Vec::new(),
            closed: 0,
        }
    }

    /// Adds a point to the open list.
    #[inline]
    pub fn push(&mut self, point: Affine<P>) {
        self.points.push(point);
    }

    /// Closes the open list, which may be empty, and opens the next.
    pub fn close(&mut self) {
        self.lengths.push(self.points.len() - self.closed);
        self.closed = self.points.len();
    }

    /// The sum of each closed list, in their order.
    pub fn sums(mut self) -> Vec<Affine<P>> {
        self.points.truncate(self.closed);
        let mut next = Vec::with_capacity(self.points.len().div_ceil(2) + self.lengths.len());
        let mut denominators = Vec::with_capacity(self.points.len() / 2);
        while self.lengths.iter().any(|length| *length > 1) {
            denominators.clear();
            for list in Split::new(&self.points, &self.lengths) {
                for pair in list.chunks_exact(2) {
                    if let [p, q] = pair {
                        denominators.push(denominator(p, q));
                    }
                }
            }
            P::BaseField::invert_all(&mut denominators);
            let mut inverses = denominators.iter();
            next.clear();
            for list in Split::new(&self.points, &self.lengths) {
                let pairs = list.chunks_exact(2);
                let last = pairs.remainder();
                for (pair, inverse) in pairs.zip(&mut inverses) {
                    if let [p, q] = pair {
                        next.push(sum(p, q, inverse));
                    }
                }
                next.extend_from_slice(last);
            }
            for length in &mut self.lengths {
                *length = length.div_ceil(2);
            }
            std::mem::swap(&mut self.points, &mut next);
        }
        let sums = Split::new(&self.points, &self.lengths)
            .map(|list| list.first().copied().unwrap_or_default())
            .collect();
        next.zeroize();
        denominators.zeroize();
        sums
    }
}

impl<P: SWCurveConfig> Drop for Lists<P> {
    fn drop(&mut self) {
        self.points.zeroize();
    }
}

/// A slice in pieces of given lengths.
struct Split<'a, T> {
    rest: &'a [T],
    lengths: std::slice::Iter<'a, usize>,
}

impl<'a, T> Split<'a, T> {
    fn new(all: &'a [T], lengths: &'a [usize]) -> Self {
        Self {
            rest: all,
            lengths: lengths.iter(),
        }
    }
}

impl<'a, T> Iterator for Split<'a, T> {
    type Item = &'a [T];

    fn next(&mut self) -> Option<&'a [T]> {
        let (piece, rest) = self.rest.split_at_checked(*self.lengths.next()?)?;
        self.rest = rest;
        Some(piece)
    }
}

/// The denominator of the slope through two points; 0 where there is none: one is infinity, or they are opposite.
#[inline(always)]
fn denominator<P: SWCurveConfig>(p: &Affine<P>, q: &Affine<P>) -> P::BaseField {
    if p.is_zero() || q.is_zero() {
        P::BaseField::ZERO
    } else if p.x != q.x {
        q.x - p.x
    } else if p.y == q.y {
        p.y.double()
    } else {
        P::BaseField::ZERO
    }
}

/// p + q, given the inverse of their [`denominator`].
#[inline(always)]
fn sum<P: SWCurveConfig>(p: &Affine<P>, q: &Affine<P>, inverse: &P::BaseField) -> Affine<P>
where
    P::BaseField: Coordinate,
{
    if inverse.is_zero() {
        return match (p.is_zero(), q.is_zero()) {
            (true, _) => *q,
            (_, true) => *p,
            _ => Affine::identity(),
        };
    }
    let numerator = if p.x == q.x {
        let square = p.x.squared();
        square + square + square + P::COEFF_A
    } else {
        q.y - p.y
    };
    let slope = numerator.times(inverse);
    let x = slope.squared() - p.x - q.x;
    let y = slope.times(&(p.x - x)) - p.y;
    Affine::new_unchecked(x, y)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_bn254::{g1, g2};
    use ark_ec::CurveGroup;
    use ark_ec::short_weierstrass::Projective;
    use ark_ff::UniformRand;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    fn agrees<P: SWCurveConfig>()
    where
        P::BaseField: Coordinate,
    {
        let mut rng = ChaCha20Rng::seed_from_u64(61);
        let p = Projective::<P>::rand(&mut rng).into_affine();
        let zero = Affine::<P>::identity();
        let twice = (p + p).into_affine();
        let mut lists = vec![
            vec![],
            vec![zero],
            vec![p],
            vec![p, p],
            vec![p, -p],
            vec![zero, p],
            vec![p, zero, zero],
            vec![p; 7],
            vec![p, p, -twice, p],
            vec![p, -p, p, -p, p],
        ];
        for length in [5, 16, 33, 100] {
            lists.push(
                (0..length)
                    .map(|_| Projective::rand(&mut rng).into_affine())
                    .collect(),
            );
        }
        let mut all = Lists::with_capacity(0);
        for list in &lists {
            list.iter().for_each(|point| all.push(*point));
            all.close();
        }
        all.push(p); // of a list that is never closed
        let expected: Vec<Affine<P>> = lists
            .iter()
            .map(|list| {
                list.iter()
                    .fold(Projective::zero(), |sum, point| sum + point)
                    .into_affine()
            })
            .collect();
        let sums = all.sums();
        assert_eq!(sums, expected);
        assert!(sums.iter().all(|sum| sum.is_zero() || sum.is_on_curve()));
    }

    #[test]
    fn sums_agree_with_arkworks() {
        agrees::<g1::Config>();
        agrees::<g2::Config>();
        assert!(Lists::<g1::Config>::with_capacity(3).sums().is_empty());
    }

    #[test]
    fn inversions_agree_with_arkworks_and_leave_zeros() {
        let mut rng = ChaCha20Rng::seed_from_u64(62);
        let mut elements: Vec<_> = (0..9).map(|_| Fq2::rand(&mut rng)).collect();
        elements.insert(0, Fq2::ZERO);
        elements.push(Fq2::ZERO);
        let expected: Vec<_> = elements
            .iter()
            .map(|e| e.inverse().unwrap_or(Fq2::ZERO))
            .collect();
        let mut inverted = elements.clone();
        Fq2::invert_all(&mut inverted);
        assert_eq!(inverted, expected);
        let mut zeros = [Fq::ZERO; 2];
        Fq::invert_all(&mut zeros);
        assert_eq!(zeros, [Fq::ZERO; 2]);
    }
}
