//! Dishonest provers of possession of a native credential: other keys, points that are none, points of small order, other
//! digits, other roots. Most know the issuer's secret, or a secret of their own, and sign so that everything but one part
//! holds.

use std::collections::HashMap;

use ark_ec::{AffineRepr, CurveGroup, twisted_edwards::TECurveConfig};
use ark_ff::{AdditiveGroup, BigInt, BigInteger, Field, PrimeField, UniformRand};
use bauta_statement::{
    babyjubjub::{Config, Point, PointError, Scalar, base},
    eddsa::{self, PublicKey, Signature, SigningKey},
    field::Fr,
    poseidon,
    relation::Relation,
    vector::{self, AttributeVector, Format, ORIGIN, SECRET},
};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

use super::{Hint, Layout, Table, alias_bits, carried, forged_by, heaped};
use crate::{
    Circuit,
    gadgets::babyjubjub::{montgomery, table_points},
    possession::native::NativeWitness,
    system::{Assignment, Column},
};

const KEY: Hint = ("origin", "issuer's key");
const RULE: Hint = ("origin", "schema rule");
const BLINDING: Hint = ("message", "blinding");
const KEY_U: Hint = ("signature", "u of a key");
const KEY_V: Hint = ("signature", "v of a key");
const DIGIT: Hint = ("signature", "digit of h");
const TOP: Hint = ("signature", "top of h");
const TOP_BIT: Hint = ("signature", "bit");
const TABLE_U: Hint = ("signature", "u of a table point");
const TABLE_V: Hint = ("signature", "v of a table point");
const SUM_V: Hint = ("signature", "v of a sum");
const R8_X: Hint = ("signature", "x of a commitment");
const R8_Y: Hint = ("signature", "y of a commitment");

const SIGNATURE: &[&str] = &["signature"];
const CHALLENGE: &[&str] = &["challenge"];
/// Where what is wrong in the arithmetic makes another R8 and so another challenge, which nobody can choose beforehand.
const BOTH: &[&str] = &["signature", "challenge"];

/// An issuer, its secret known to the test, and a nonce to sign with.
struct Forger {
    secret: Scalar,
    nonce: Scalar,
    witness: NativeWitness,
    layout: Layout,
}

/// A credential that everything holds of.
pub(super) fn honest() -> NativeWitness {
    Forger::new(1).signed()
}

impl Forger {
    fn new(seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let key = SigningKey::generate(&mut rng);
        let schema_rule = Fr::rand(&mut rng);
        let mut vector = AttributeVector(std::array::from_fn(|_| Fr::rand(&mut rng)));
        vector.0[ORIGIN] = vector::origin(Format::Native, key.public_key().digest(), schema_rule);
        let witness = NativeWitness {
            vector,
            issuer_key: key.public_key(),
            signature: NativeWitness::blank().signature,
            blinding: Fr::rand(&mut rng),
            schema_rule,
        };
        Self {
            secret: Scalar::from_le_bytes_mod_order(key.to_bytes().as_ref()),
            nonce: Scalar::rand(&mut rng),
            witness,
            layout: Layout::of(Relation::PossessionNative),
        }
    }

    fn column(&self, hint: Hint) -> Column {
        self.layout.columns(hint.0, hint.1)[0]
    }

    /// What is signed in a credential with this origin.
    fn message(&self, origin: Fr) -> Fr {
        let mut vector = self.witness.vector;
        vector.0[ORIGIN] = origin;
        let commitment = vector::commitment(vector.get(SECRET), self.witness.blinding);
        vector::native_message(&vector, commitment)
    }

    /// nonce·B8.
    fn commitment(&self) -> Point {
        (base() * self.nonce).into_affine()
    }

    /// The challenge of these coordinates of R8 and key.
    fn challenge(&self, r8: [Fr; 2], key: [Fr; 2]) -> Fr {
        let message = self.message(origin(key, self.witness.schema_rule));
        poseidon::hash(&[r8[0], r8[1], key[0], key[1], message])
    }

    /// The challenge of the honest R8 and key.
    fn own_challenge(&self) -> Fr {
        let commitment = self.commitment();
        self.challenge(
            [commitment.x, commitment.y],
            self.witness.issuer_key.coordinates(),
        )
    }

    /// The honest signature.
    fn signed(&self) -> NativeWitness {
        let h = scalar(self.own_challenge().into_bigint());
        let s = self.nonce + Scalar::from(8u64) * h * self.secret;
        self.with(s)
    }

    fn with(&self, s: Scalar) -> NativeWitness {
        NativeWitness {
            signature: Signature {
                r8: self.commitment(),
                s,
            },
            ..self.witness.clone()
        }
    }

    /// A run with this response, the digits of this integer for h, these values of other hints, and an origin that fits
    /// whatever key is among them.
    fn run(&self, s: Scalar, h: BigInt<4>, values: Vec<(Column, Fr)>) -> Assignment {
        let witness = self.with(s);
        let message = self.message(witness.vector.get(ORIGIN));
        let honest_h = eddsa::challenge(&witness.signature.r8, &witness.issuer_key, &message);
        let honest_h = honest_h.into_bigint();
        let digits = self.layout.columns(DIGIT.0, DIGIT.1);
        // From the highest to the lowest.
        let mut flipped: HashMap<Column, bool> = HashMap::new();
        for (column, position) in digits.iter().zip((0..digits.len()).rev()) {
            flipped.insert(*column, h.get_bit(position) != honest_h.get_bit(position));
        }
        let values: HashMap<Column, Fr> = values.into_iter().collect();
        let mut instances = witness.instances();
        let [x, y] = [0, 1].map(|index| values.get(&self.layout.columns(KEY.0, KEY.1)[index]));
        if let (Some(x), Some(y)) = (x, y) {
            instances[ORIGIN] = origin([*x, *y], witness.schema_rule);
        }
        let (top, top_value) = (self.column(TOP), Fr::from((h >> 190).0[0]));
        forged_by(&witness, &instances, move |column, honest| {
            if let Some(value) = values.get(&column) {
                *value
            } else if column == top {
                top_value
            } else if flipped.get(&column) == Some(&true) {
                -honest
            } else {
                honest
            }
        })
    }

    /// Values for the columns of the key.
    fn key(&self, [x, y]: [Fr; 2]) -> Vec<(Column, Fr)> {
        let columns = self.layout.columns(KEY.0, KEY.1);
        vec![(columns[0], x), (columns[1], y)]
    }
}

fn origin([x, y]: [Fr; 2], rule: Fr) -> Fr {
    vector::origin(Format::Native, poseidon::hash(&[x, y]), rule)
}

fn scalar(integer: BigInt<4>) -> Scalar {
    Scalar::from_le_bytes_mod_order(&integer.to_bytes_le())
}

fn plus_modulus(mut integer: BigInt<4>) -> BigInt<4> {
    integer.add_with_carry(&Fr::MODULUS);
    integer
}

/// The eight points of order dividing eight: multiples of one of order eight.
fn torsion() -> [Point; 8] {
    for y in (2u64..).map(Fr::from) {
        let square = (Fr::ONE - y.square()) / (Config::COEFF_A - Config::COEFF_D * y.square());
        let Some(x) = square.sqrt() else { continue };
        let point = Point::new_unchecked(x, y);
        assert!(point.is_on_curve());
        let small = point.mul_bigint(Scalar::MODULUS).into_affine();
        if !small.mul_bigint([4u64]).into_affine().is_zero() {
            return std::array::from_fn(|k| small.mul_bigint([k as u64]).into_affine());
        }
    }
    unreachable!("half of the points have a component of order eight")
}

fn order(multiple: usize) -> usize {
    8 >> multiple.trailing_zeros().min(3)
}

pub(super) fn table() -> Table {
    let mut table = Table::new(&honest());
    points_of_small_order(&mut table);
    other_keys(&mut table);
    other_challenges(&mut table);
    other_responses(&mut table);
    other_sums(&mut table);
    other_credentials(&mut table);
    table
}

const ADMISSION: &str = "whoever admits a key to an issuer set refuses it (`PublicKey`): no origin in a set is of such a key";

fn points_of_small_order(table: &mut Table) {
    let forger = Forger::new(2);
    let (r8, own) = (forger.commitment(), forger.witness.issuer_key.coordinates());
    for (multiple, small) in torsion().into_iter().enumerate() {
        let order = order(multiple);
        assert!(small.mul_bigint([order as u64]).into_affine().is_zero());

        // As the key: 8h·A is neutral, so S·B8 = R8 is all that is to be shown. Needs no secret.
        let key = [small.x, small.y];
        let refused = PublicKey::from_coordinates(small.x, small.y);
        assert_eq!(
            refused,
            Err(if multiple == 0 {
                PointError::Identity
            } else {
                PointError::OutsideSubgroup
            })
        );
        let h = forger.challenge([r8.x, r8.y], key).into_bigint();
        let assignment = forger.run(forger.nonce, h, forger.key(key));
        let what = format!("a key of order {order} ({multiple})");
        // v_Q = 0 in all of these: neither digits nor h mean anything. Orders below eight are met by a doubling of v = 0;
        // with order eight Q = 4A is the point of order two, and nothing refuses.
        if order == 8 {
            table.harmless(what, &[KEY], ADMISSION, assignment);
        } else {
            table.refused(what, &[KEY], SIGNATURE, assignment);
        }

        // As R8, with 8h·A = S·B8; and added to R8. The relation computes R8 in the subgroup.
        let hide = |point: [Fr; 2], nonce: Scalar| {
            let h = forger.challenge(point, own);
            let s = nonce + Scalar::from(8u64) * scalar(h.into_bigint()) * forger.secret;
            let values = vec![
                (forger.column(R8_X), point[0]),
                (forger.column(R8_Y), point[1]),
            ];
            forger.run(s, h.into_bigint(), values)
        };
        let alone = hide(key, Scalar::ZERO);
        let what = format!("R8 of order {order} ({multiple})");
        table.refused(what, &[R8_X, R8_Y], SIGNATURE, alone);
        if multiple == 0 {
            // One coordinate alone.
            for (what, hint, point) in [
                ("another x of R8", R8_X, [r8.x + Fr::ONE, r8.y]),
                ("another y of R8", R8_Y, [r8.x, r8.y + Fr::ONE]),
            ] {
                table.refused(what, &[hint], SIGNATURE, hide(point, forger.nonce));
            }
            continue;
        }
        let shifted = (r8 + small).into_affine();
        let what = format!("R8 with a component of order {order} ({multiple})");
        let assignment = hide([shifted.x, shifted.y], forger.nonce);
        table.refused(what, &[R8_X, R8_Y], SIGNATURE, assignment);

        // Added to the key: washed out by the cofactor, as in every verifier of this equation.
        let shifted = (forger.witness.issuer_key.point() + small).into_affine();
        let key = [shifted.x, shifted.y];
        assert_eq!(
            PublicKey::from_coordinates(shifted.x, shifted.y),
            Err(PointError::OutsideSubgroup)
        );
        let h = forger.challenge([r8.x, r8.y], key).into_bigint();
        let s = forger.nonce + Scalar::from(8u64) * scalar(h) * forger.secret;
        let assignment = forger.run(s, h, forger.key(key));
        let what = format!("a key with a component of order {order} ({multiple})");
        table.harmless(what, &[KEY], ADMISSION, assignment);
    }
}

fn other_keys(table: &mut Table) {
    let forger = Forger::new(3);
    let h = forger.own_challenge();
    let integer = h.into_bigint();
    let eight_h = Scalar::from(8u64) * scalar(integer);
    let own = forger.signed().signature.s;
    let [x, y] = forger.witness.issuer_key.coordinates();

    // v of the key is −v: all is of −A then.
    let [_, v] = montgomery(&forger.witness.issuer_key.point());
    let s = forger.nonce - eight_h * forger.secret;
    let assignment = forger.run(s, integer, vec![(forger.column(KEY_V), -v)]);
    table.refused(
        "the other root for the key",
        &[KEY_V],
        SIGNATURE,
        assignment,
    );
    // u of the key is that of (x, −y), which is −A and the point of order two; 4·(x, −y) = −4A.
    let [u, _] = montgomery(&forger.witness.issuer_key.point());
    let other = vec![(forger.column(KEY_U), Fr::ONE / u)];
    let assignment = forger.run(s, integer, other);
    table.refused("the u of (x, −y)", &[KEY_U], SIGNATURE, assignment);
    // The Montgomery form of the forger's own key.
    let secret = Scalar::from(123_456_789u64);
    let [u, v] = montgomery(&(base() * secret).into_affine());
    let values = vec![(forger.column(KEY_U), u), (forger.column(KEY_V), v)];
    let assignment = forger.run(forger.nonce + eight_h * secret, integer, values);
    let what = "the Montgomery form of the forger's own key";
    table.refused(what, &[KEY_U, KEY_V], SIGNATURE, assignment);
    // Points off the curve. With y = −1 the rows of the forms hold for any x, u = v = 0; doubling refuses v = 0.
    for (what, key, by) in [
        ("off the curve", [x + Fr::ONE, y], BOTH),
        ("off the curve, (1, 1)", [Fr::ONE, Fr::ONE], SIGNATURE),
        ("off the curve, (0, 0)", [Fr::ZERO, Fr::ZERO], SIGNATURE),
        ("off the curve, (x, −1)", [x, -Fr::ONE], SIGNATURE),
        ("off the curve, (x, 1)", [x, Fr::ONE], SIGNATURE),
        (
            "of another issuer",
            Forger::new(4).witness.issuer_key.coordinates(),
            CHALLENGE,
        ),
    ] {
        let assignment = forger.run(own, integer, forger.key(key));
        table.refused(format!("a key {what}"), &[KEY], by, assignment);
    }
}

fn other_challenges(table: &mut Table) {
    // One in three challenges has an alias below 2^254; the issuer signs for it.
    let forger = (10..)
        .map(Forger::new)
        .find(|forger| plus_modulus(forger.own_challenge().into_bigint()).num_bits() <= 254)
        .unwrap_or_else(|| unreachable!("half of all seeds"));
    let h = forger.own_challenge().into_bigint();
    let alias = plus_modulus(h);
    let sign = |h| forger.nonce + Scalar::from(8u64) * scalar(h) * forger.secret;
    let run = |digits: BigInt<4>, values| forger.run(sign(digits), digits, values);
    let tops = forger.layout.columns(TOP_BIT.0, TOP_BIT.1).to_vec();
    let limit = Fr::from((Fr::MODULUS >> 190).0[0]) - Fr::ONE;
    let top_of = |integer: BigInt<4>| Fr::from((integer >> 190).0[0]);

    table.refused(
        "the digits of h + r",
        &[DIGIT, TOP],
        SIGNATURE,
        run(alias, Vec::new()),
    );
    let low = (forger.column(TOP), top_of(h));
    let what = "the digits of h + r with the top of h";
    table.refused(what, &[DIGIT], SIGNATURE, run(alias, vec![low]));
    let bits = alias_bits(&tops, limit - top_of(alias));
    let what = "the digits of h + r, the range's bits those of the difference + r";
    table.refused(what, &[DIGIT, TOP, TOP_BIT], SIGNATURE, run(alias, bits));
    let zero = tops.iter().map(|column| (*column, Fr::ZERO)).collect();
    let what = "the digits of h + r, the range's bits zero";
    table.refused(what, &[DIGIT, TOP, TOP_BIT], SIGNATURE, run(alias, zero));
    let honest = run(h, Vec::new());
    assert_eq!(
        forger.layout.shape.check(&honest),
        Ok(()),
        "without the alias"
    );
    let what = "two bits that carry into each other";
    table.refused(what, &[TOP_BIT], SIGNATURE, run(h, carried(&tops, &honest)));
    for position in [0, 62] {
        let values = heaped(&tops, limit - top_of(alias), position);
        table.refused(
            format!("the digits of h + r, the range's value in bit {position}"),
            &[DIGIT, TOP, TOP_BIT],
            SIGNATURE,
            run(alias, values),
        );
    }
    let what = "another top of h";
    let higher = (forger.column(TOP), top_of(h) - Fr::ONE);
    table.refused(what, &[TOP], SIGNATURE, run(h, vec![higher]));

    // Digits that are none, one alone and two with the right sum. They make another R8.
    let digits = forger.layout.columns(DIGIT.0, DIGIT.1);
    let [next, low] = [digits[digits.len() - 2], digits[digits.len() - 1]];
    let value = |column: Column| honest.values()[column as usize];
    let v = montgomery(&(forger.witness.issuer_key.point() * Scalar::from(4u64)).into_affine())[1];
    table.refused("a digit 0", &[DIGIT], BOTH, run(h, vec![(low, Fr::ZERO)]));
    let values = vec![(next, value(next) - v), (low, value(low) + v + v)];
    table.refused(
        "digits that carry into each other",
        &[DIGIT],
        BOTH,
        run(h, values),
    );
    let flipped = vec![(low, -value(low))];
    table.refused(
        "a digit of the other sign",
        &[DIGIT],
        CHALLENGE,
        run(h, flipped),
    );
}

fn other_responses(table: &mut Table) {
    let two_orders = {
        let mut twice = Scalar::MODULUS;
        twice.mul2();
        twice
    };
    let bound = BigInt::<4>::from(1u64) << (4 * 63);
    // A nonce for which S is odd, and S + 2l is below 16^63 too; and for which S − e is 16 times an odd number, for an even e.
    let odd = |forger: &Forger| {
        let mut s = forger.signed().signature.s.into_bigint();
        let odd = s.is_odd();
        s.add_with_carry(&two_orders);
        odd && s < bound
    };
    let forger = (20..)
        .map(Forger::new)
        .find(|forger| odd(forger))
        .unwrap_or_else(|| unreachable!("one in six seeds"));
    let h = forger.own_challenge().into_bigint();
    let s = forger.signed().signature.s;
    let us = forger.layout.columns(TABLE_U.0, TABLE_U.1).to_vec();
    let vs = forger.layout.columns(TABLE_V.0, TABLE_V.1).to_vec();
    let digits = |integer: BigInt<4>| -> Vec<(Column, Fr)> {
        let points = table_points(integer);
        let of = |columns: &[Column], index: usize| -> Vec<(Column, Fr)> {
            let values = points.iter().map(|point| point[index]);
            columns.iter().copied().zip(values).collect()
        };
        [of(&us, 0), of(&vs, 1)].concat()
    };
    let mut larger = s.into_bigint();
    larger.add_with_carry(&two_orders);
    table.harmless(
        "the digits of S + 2l",
        &[TABLE_U, TABLE_V],
        "another integer for the same scalar makes the same R8: the statement is the same, and no output shows which",
        forger.run(s, h, digits(larger)),
    );
    let mut off = s.into_bigint();
    off.add_with_carry(&2u64.into());
    let what = "the digits of S + 2";
    table.refused(
        what,
        &[TABLE_U, TABLE_V],
        CHALLENGE,
        forger.run(s, h, digits(off)),
    );
    let honest = forger.signed().assignment();
    let value = |column: Column| honest.values()[column as usize];
    let mirrored = vec![(vs[5], -value(vs[5]))];
    let what = "a table point of the other sign";
    table.refused(what, &[TABLE_V], CHALLENGE, forger.run(s, h, mirrored));
    let neighbour = vec![(us[5], value(us[6])), (vs[5], value(vs[6]))];
    let what = "a point of another window's table";
    table.refused(what, &[TABLE_U, TABLE_V], BOTH, forger.run(s, h, neighbour));
    let other_u = vec![(us[5], value(us[6]))];
    let what = "u and v of two points";
    table.refused(what, &[TABLE_U], BOTH, forger.run(s, h, other_u));

    let lifted = vec![(vs[0], value(vs[0]) + Fr::ONE)];
    let what = "a table point off the curve";
    table.refused(what, &[TABLE_V], BOTH, forger.run(s, h, lifted));

    // An even multiple of B8 in the first window, and S of which that is a digit.
    let even = |forger: &Forger| {
        let s = forger.signed().signature.s.into_bigint();
        s.is_even() && s.0[0] & 31 != 16
    };
    let forger = (40..)
        .map(Forger::new)
        .find(|forger| even(forger))
        .unwrap_or_else(|| unreachable!("nearly half of all seeds"));
    let h = forger.own_challenge().into_bigint();
    let s = forger.signed().signature.s;
    let integer = s.into_bigint();
    let digit = (integer.0[0] & 31) as i64 - 16;
    // S − digit + 1 has the same other digits, and 1 for the first.
    let mut rest = integer;
    rest.0[0] &= !31;
    rest.add_with_carry(&17u64.into());
    let point = (base() * Scalar::from(digit.unsigned_abs())).into_affine();
    let [u, v] = montgomery(&point);
    let mut values = digits(rest);
    values.retain(|(column, _)| *column != us[0] && *column != vs[0]);
    values.extend([(us[0], u), (vs[0], if digit < 0 { -v } else { v })]);
    let what = "an even multiple of B8, with S to fit";
    table.refused(
        what,
        &[TABLE_U, TABLE_V],
        SIGNATURE,
        forger.run(s, h, values),
    );
}

fn other_sums(table: &mut Table) {
    let forger = Forger::new(5);
    let h = forger.own_challenge().into_bigint();
    let s = forger.signed().signature.s;
    let honest = forger.signed().assignment();
    let value = |column: Column| honest.values()[column as usize];
    // The last sum mirrored: −(S·B8 − 8h·A) = R8.
    let last = *forger.layout.columns(SUM_V.0, SUM_V.1).last().unwrap();
    let minus = Scalar::from(8u64) * scalar(h) * forger.secret - forger.nonce;
    let target = montgomery(&forger.commitment())[1];
    let assignment = forger.run(minus, h, vec![(last, target)]);
    table.refused("the last sum mirrored", &[SUM_V], SIGNATURE, assignment);
    // What has one value where its denominator is not zero, and no denominator is (see `exceptions`).
    for name in [
        "slope",
        "slope of a tangent",
        "second slope",
        "u of a sum",
        "u of a middle sum",
        "v of a sum",
    ] {
        let hint = ("signature", name);
        let column = forger.column(hint);
        for (what, wrong) in [
            ("negative", -value(column)),
            ("next", value(column) + Fr::ONE),
        ] {
            let assignment = forger.run(s, h, vec![(column, wrong)]);
            table.refused(format!("{name}: {what}"), &[hint], BOTH, assignment);
        }
    }
}

fn other_credentials(table: &mut Table) {
    let forger = Forger::new(6);
    let good = forger.signed();
    let other = Forger::new(7);
    // Each signs what it likes; what it may not choose is the origin.
    let resigned = |forger: &Forger, witness: NativeWitness| {
        let commitment = vector::commitment(witness.vector.get(SECRET), witness.blinding);
        let message = vector::native_message(&witness.vector, commitment);
        let r8 = forger.commitment();
        let h = scalar(eddsa::challenge(&r8, &witness.issuer_key, &message).into_bigint());
        let s = forger.nonce + Scalar::from(8u64) * h * forger.secret;
        NativeWitness {
            signature: Signature { r8, s },
            ..witness
        }
    };
    let stolen = NativeWitness {
        issuer_key: other.witness.issuer_key,
        ..good.clone()
    };
    let stolen = resigned(&other, stolen).assignment();
    table.refused(
        "the origin of one, the signature of another",
        &[KEY],
        &["origin"],
        stolen,
    );
    let rule = NativeWitness {
        schema_rule: good.schema_rule + Fr::ONE,
        ..good.clone()
    };
    let by = &["origin"];
    table.refused("another schema's rule", &[RULE], by, rule.assignment());
    let mut consistent = rule.clone();
    consistent.vector.0[ORIGIN] = origin(rule.issuer_key.coordinates(), rule.schema_rule);
    let what = "another schema's rule and origin, with the old signature";
    table.refused(what, &[RULE], CHALLENGE, consistent.assignment());
    let mut foreign = good.clone();
    foreign.vector.0[ORIGIN] =
        vector::origin(Format::X509Rsa, good.issuer_key.digest(), good.schema_rule);
    let foreign = resigned(&forger, foreign).assignment();
    table.refused("an X.509 origin", &[], by, foreign);
    // One commitment, another secret.
    for (what, secret, blinding) in [
        ("another secret", Fr::from(5), good.blinding),
        ("another blinding", good.vector.get(SECRET), Fr::from(5)),
        (
            "secret and blinding exchanged",
            good.blinding,
            good.vector.get(SECRET),
        ),
        ("another of both", Fr::from(5), Fr::from(6)),
    ] {
        let mut bad = good.clone();
        bad.vector.0[SECRET] = secret;
        bad.blinding = blinding;
        let hints: &[Hint] = if blinding == good.blinding {
            &[]
        } else {
            &[BLINDING]
        };
        table.refused(
            format!("a commitment with {what}"),
            hints,
            CHALLENGE,
            bad.assignment(),
        );
    }
}

/// The ladder's stated exception, by itself: with Q = ±O its first sum is one of a point with itself or with its negative.
/// Whoever has such a key knows a logarithm of O, which is hashed to the curve, or has not shown to know the key's.
mod exceptions {
    use super::*;
    use crate::{
        gadgets::babyjubjub::{Montgomery, ladder},
        hunt::undetermined,
        system::System,
    };
    use bauta_statement::babyjubjub::hash_to_point;

    fn run(q: Point, recording: bool) -> System {
        let [u, v] = montgomery(&q);
        let mut system = System::new(&[u, v], recording);
        let q = Montgomery {
            u: system.instance(0),
            v: system.instance(1),
        };
        ladder(&mut system, &q, &BigInt::from(12_345u64));
        system
    }

    #[test]
    fn a_key_made_of_the_offset_would_be_met() {
        let offset = hash_to_point("bauta/v1/offset");
        let shape = run(base(), true).into_r1cs();
        let other = run(base(), false).into_assignment();
        assert_eq!(shape.check(&other), Ok(()));
        assert!(undetermined(&shape, &other).is_empty());
        // Q = O: any slope satisfies the first row, 0 as well as the tangent's.
        let same = run(offset, false).into_assignment();
        assert_eq!(shape.check(&same), Ok(()));
        assert!(!undetermined(&shape, &same).is_empty());
        // Q = −O: none does.
        assert!(shape.check(&run(-offset, false).into_assignment()).is_err());
    }
}
