//! Times of a certificate as Unix seconds: UTCTime and GeneralizedTime as RFC 5280, 4.1.2.5, restricts them.

use ark_ff::{AdditiveGroup, Field, PrimeField};
use bauta_statement::field::Fr;

use super::{
    compare::{bits, range, within_bits},
    window::{Window, read},
};
use crate::system::{Lc, System};

const UTC_TIME: u8 = 0x17;
/// Octets of the longer form: tag, length, YYYYMMDDHHMMSSZ.
const LONGEST: usize = 17;
/// Days of each month, February's fewest.
const DAYS: [u64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
/// Days from 1 March of the year 0 to 1 January 1970.
const EPOCH: u64 = 719_468;

/// A time, and the octet after it.
pub struct Time {
    /// Unix seconds, from 0 on.
    pub seconds: Lc,
    /// Where the next element begins.
    pub end: Lc,
}

/// The Time at `offset` of proven bytes: YYMMDDHHMMSSZ of 1970 to 2049, or YYYYMMDDHHMMSSZ of 1970 to 9999. Each digit is one, the date is in
/// the calendar, and there is no leap second. 656 constraints in
/// 1,079 bytes.
pub fn unix_seconds(system: &mut System, bytes: &[Lc], offset: &Lc) -> Time {
    let octets = read(system, bytes, offset, LONGEST);
    parse(system, &octets, offset)
}

/// The time whose octets were read.
///
/// g = 1 for GeneralizedTime, whose digits from the third on stand where UTCTime's do.
pub(crate) fn parse(system: &mut System, octets: &Window, offset: &Lc) -> Time {
    let zero = Lc::constant(Fr::ZERO);
    let octet = |place: usize| octets.value(place).unwrap_or(&zero);
    let general = octet(0) - Fr::from(UTC_TIME);
    range(system, &general, 1);
    let twice = &general * Fr::from(2);
    system.enforce_equal(octet(1), &(&twice + Fr::from(13)));

    let mut digits = Vec::with_capacity(12);
    for place in 2..14 {
        let step = system.product(&general, &(octet(place + 2) - octet(place)));
        digits.push(digit(system, &(octet(place) + &step)));
    }
    let step = system.product(&general, &(octet(16) - octet(14)));
    let last = Lc::constant(Fr::from(b'Z'));
    system.enforce_equal(&(octet(14) + &step), &last);
    let numbers: Vec<Lc> = digits
        .chunks(2)
        .map(|pair| Lc::combine(pair.iter().zip([Fr::from(10), Fr::ONE])))
        .collect();
    let number = |place: usize| numbers.get(place).unwrap_or(&zero).clone();

    // A century of its own, or that of a year from 1950 to 2049: h = 1 from 50 on, h ? y − 50 : 49 − y is from 0 to 63.
    let short = number(0);
    let high = system.hint(
        "whether a year is of the last century",
        Fr::from(small(&short) >= 50),
    );
    range(system, &high, 1);
    let part = system.product(&high, &short);
    let edge = &(&part * Fr::from(2)) - &short;
    range(
        system,
        &(&(&edge - &(&high * Fr::from(99))) + Fr::from(49)),
        6,
    );
    let implied = &Lc::constant(Fr::from(20)) - &high;
    // Where there is no century these octets are the year's, and digits as well.
    let [first, second] = [2, 3].map(|place| digit(system, octet(place)));
    let own = Lc::combine([(&first, Fr::from(10)), (&second, Fr::ONE)]);
    let step = system.product(&general, &(&own - &implied));
    let century = &implied + &step;
    let year = Lc::combine([(&century, Fr::from(100)), (&short, Fr::ONE)]);

    let days = days(system, &year, &number(1), &number(2));
    let [hour, minute, second] = [3, 4, 5].map(number);
    for (number, most, width) in [(&hour, 23, 5), (&minute, 59, 6), (&second, 59, 6)] {
        within_bits(system, number, &Lc::constant(Fr::from(most)), width);
    }
    let seconds = Lc::combine([
        (&days, Fr::from(86_400)),
        (&hour, Fr::from(3_600)),
        (&minute, Fr::from(60)),
        (&second, Fr::ONE),
    ]);
    Time {
        seconds,
        end: &(offset + &twice) + Fr::from(15),
    }
}

/// Days since 1 January 1970, of a year with at most four digits. 62 constraints.
///
/// Years begin in March, so that a leap day is a year's last day: y' = year − 1 in January and February, and with y' = 4q + r₄, q = 25c + r₂₅,
/// c = 4e + r, each remainder ranged, the days before it are 365y' + q − c + e.
pub(crate) fn days(system: &mut System, year: &Lc, month: &Lc, day: &Lc) -> Lc {
    range(system, &(year - Fr::from(1970)), 13);
    let months = months(system, month);
    let weighed = |weight: &dyn Fn(usize) -> u64| {
        let weights = (0..12).map(|month| Fr::from(weight(month)));
        Lc::combine(months.iter().zip(weights))
    };
    let shifted = year - &weighed(&|month| u64::from(month < 2));

    let whole = small(&shifted);
    let [quarters, centuries, eras] = [4, 100, 400].map(|years| whole / years);
    let remainder = |system: &mut System, name, value: u64, width| {
        let number = system.hint(name, Fr::from(value));
        let bits = bits(system, &number, width);
        (number, bits)
    };
    let (r4, bits4) = remainder(system, "years after a leap day", whole % 4, 2);
    let (r25, bits25) = remainder(system, "fours of years in a century", quarters % 25, 5);
    let most = &Lc::constant(Fr::from(24)) - &r25;
    range(system, &most, 5);
    let (turn, turn_bits) = remainder(system, "centuries in an era", centuries % 4, 2);
    let (era, _) = remainder(system, "eras", eras, 5);
    let century = Lc::combine([(&era, Fr::from(4)), (&turn, Fr::ONE)]);
    let quarter = Lc::combine([(&century, Fr::from(25)), (&r25, Fr::ONE)]);
    let sum = Lc::combine([(&quarter, Fr::from(4)), (&r4, Fr::ONE)]);
    system.enforce_equal(&sum, &shifted);

    // February's year ends with a leap day if 4 divides the next, and 100 does not or 400 does: r₄ = 3, r₂₅ = 24, r = 3.
    let both = |system: &mut System, bits: &[Lc], first: usize| match (
        bits.get(first),
        bits.get(first + 1),
    ) {
        (Some(low), Some(high)) => system.product(low, high),
        _ => Lc::constant(Fr::ZERO),
    };
    let (fourth, hundredth, fourth_century) = (
        both(system, &bits4, 0),
        both(system, &bits25, 3),
        both(system, &turn_bits, 0),
    );
    let one = Lc::constant(Fr::ONE);
    let skipped = system.product(&hundredth, &(&one - &fourth_century));
    let leap = system.product(&fourth, &(&one - &skipped));
    let february = weighed(&|month| u64::from(month == 1));
    let leap = system.product(&leap, &february);
    let longest = &weighed(&|month| DAYS.get(month).map_or(0, |days| days - 1)) + &leap;
    within_bits(system, &(day - Fr::ONE), &longest, 5);

    let before = weighed(&days_since_march);
    let parts = [
        (&shifted, Fr::from(365)),
        (&quarter, Fr::ONE),
        (&century, -Fr::ONE),
        (&era, Fr::ONE),
        (&before, Fr::ONE),
        (day, Fr::ONE),
    ];
    &Lc::combine(parts) - Fr::from(EPOCH + 1)
}

/// Days of the months from March on before this one, which is counted from January.
fn days_since_march(month: usize) -> u64 {
    let passed = (month + 10) % 12;
    (0..passed)
        .filter_map(|since| DAYS.get((since + 2) % 12))
        .sum()
}

/// One for each month from January on: 1 at this one, which is shown to be from 1 to 12. 13 constraints.
pub(crate) fn months(system: &mut System, number: &Lc) -> Vec<Lc> {
    let mut months: Vec<Lc> = (1..12u64)
        .map(|month| system.boolean("month", number.value() == Fr::from(month)))
        .collect();
    let sum = Lc::combine(months.iter().map(|month| (month, Fr::ONE)));
    let last = &Lc::constant(Fr::ONE) - &sum;
    range(system, &last, 1);
    months.push(last);
    let numbers = (1..=12u64).map(Fr::from);
    let sum = Lc::combine(months.iter().zip(numbers));
    system.enforce_equal(&sum, number);
    months
}

/// The value of an ASCII digit: four bits, of which the highest excludes the next two. 5 constraints.
pub(crate) fn digit(system: &mut System, octet: &Lc) -> Lc {
    let value = octet - Fr::from(b'0');
    let bits = bits(system, &value, 4);
    if let [_, second, third, highest] = bits.as_slice() {
        system.enforce(highest, &(second + third), &Lc::constant(Fr::ZERO));
    }
    value
}

/// A number that an honest prover knows to be small; any for another.
fn small(number: &Lc) -> u64 {
    number
        .value()
        .into_bigint()
        .0
        .first()
        .copied()
        .unwrap_or_default()
}

/// The same natively: Unix seconds, and the octet after the element.
pub fn seconds(bytes: &[u8], offset: usize) -> Option<(u64, usize)> {
    let general = match bytes.get(offset)? {
        0x17 => 0,
        0x18 => 1,
        _ => return None,
    };
    let length = 13 + 2 * general;
    let start = offset.checked_add(2)?;
    let content = bytes.get(start..start + length)?;
    let (last, digits) = content.split_last()?;
    if usize::from(*bytes.get(offset + 1)?) != length
        || *last != b'Z'
        || !digits.iter().all(u8::is_ascii_digit)
    {
        return None;
    }
    let mut numbers = digits.chunks(2).map(|pair| {
        pair.iter()
            .fold(0, |sum, digit| 10 * sum + u64::from(digit - b'0'))
    });
    let century = if general == 1 { numbers.next()? } else { 0 };
    let (short, month, day) = (numbers.next()?, numbers.next()?, numbers.next()?);
    let (hour, minute, second) = (numbers.next()?, numbers.next()?, numbers.next()?);
    let year = match general {
        0 => 1900 + short + if short < 50 { 100 } else { 0 },
        _ => 100 * century + short,
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let place = usize::try_from(month).ok()?.checked_sub(1)?;
    let longest = DAYS.get(place)? + u64::from(leap && month == 2);
    if year < 1970 || !(1..=longest).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let shifted = year - u64::from(month < 3);
    let days =
        365 * shifted + shifted / 4 - shifted / 100 + shifted / 400 + days_since_march(place) + day
            - 1
            - EPOCH;
    Some((
        86_400 * days + 3_600 * hour + 60 * minute + second,
        start + length,
    ))
}

#[cfg(test)]
#[path = "time_tests.rs"]
mod tests;
