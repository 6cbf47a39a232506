//! Other digits of the challenge, other multiples of the base point, other sums.

use ark_ec::CurveGroup;
use ark_ff::{AdditiveGroup, BigInt, BigInteger, Field, PrimeField};
use bauta_statement::{
    babyjubjub::{Point, Scalar, base},
    field::Fr,
};

use super::{
    BOTH, CHALLENGE, DIGIT, Forger, SIGNATURE, SUM_V, TABLE_U, TABLE_V, TOP, TOP_BIT, plus_modulus,
    scalar,
};
use crate::{
    Circuit,
    counterfactual::{Table, alias_bits, carried, heaped},
    gadgets::babyjubjub::{montgomery, table_points},
    system::Column,
};

pub(super) fn other_challenges(table: &mut Table) {
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

pub(super) fn other_responses(table: &mut Table) {
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

pub(super) fn other_sums(table: &mut Table) {
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
