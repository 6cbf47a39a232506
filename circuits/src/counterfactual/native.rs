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

use super::{Hint, Layout, Table, forged_by};
use crate::{
    Circuit,
    gadgets::babyjubjub::montgomery,
    possession::native::NativeWitness,
    system::{Assignment, Column},
};

mod arithmetic;

use arithmetic::{other_challenges, other_responses, other_sums};

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
