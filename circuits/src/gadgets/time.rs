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
mod tests {
    use std::{str::FromStr, sync::LazyLock};

    use der::{DateTime, Decode, Encode, asn1::GeneralizedTime};
    use proptest::prelude::*;
    use x509_cert::time::Time as Theirs;

    use super::*;
    use crate::{
        hunt::{assert_determined, assert_rigid},
        system::R1cs,
    };

    const ROOM: usize = 24;

    fn build(bytes: &[u8], offset: usize, recording: bool) -> (System, Time) {
        let mut inputs: Vec<Fr> = bytes.iter().map(|byte| Fr::from(*byte)).collect();
        inputs.resize(ROOM, Fr::ZERO);
        inputs.push(Fr::from(offset as u64));
        let mut system = System::new(&inputs, recording);
        let wires: Vec<Lc> = (0..ROOM).map(|place| system.instance(place)).collect();
        let offset = system.instance(ROOM);
        let time = unix_seconds(&mut system, &wires, &offset);
        (system, time)
    }

    fn shape() -> &'static R1cs {
        static SHAPE: LazyLock<R1cs> = LazyLock::new(|| build(&[], 0, true).0.into_r1cs());
        &SHAPE
    }

    /// What the circuit and the twin say, which must agree.
    fn found(bytes: &[u8], offset: usize) -> Option<(u64, usize)> {
        let (system, time) = build(bytes, offset, false);
        let values = (small(&time.seconds), small(&time.end) as usize);
        let circuit = shape()
            .check(&system.into_assignment())
            .is_ok()
            .then_some(values);
        assert_eq!(
            circuit,
            seconds(bytes, offset),
            "{:?}",
            String::from_utf8_lossy(bytes)
        );
        circuit
    }

    fn utc(text: &str) -> Vec<u8> {
        [&[0x17, text.len() as u8], text.as_bytes()].concat()
    }

    fn general(text: &str) -> Vec<u8> {
        [&[0x18, text.len() as u8], text.as_bytes()].concat()
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        for (time, expected) in [
            (utc("700101000000Z"), 0),
            (utc("700101000001Z"), 1),
            (utc("991231235959Z"), 946_684_799),
            (utc("000101000000Z"), 946_684_800),
            (utc("000229120000Z"), 951_825_600),
            (utc("200229000000Z"), 1_582_934_400),
            (utc("491231235959Z"), 2_524_607_999),
            (general("20500101000000Z"), 2_524_608_000),
            (general("20000229120000Z"), 951_825_600),
            (general("24000229000000Z"), 13_574_563_200),
            (general("21000228235959Z"), 4_107_542_399),
            (general("99991231235959Z"), 253_402_300_799),
        ] {
            assert_eq!(found(&time, 0), Some((expected, time.len())));
            let later = [&[1, 2, 3], &time[..]].concat();
            assert_eq!(found(&later, 3), Some((expected, 3 + time.len())));
            let theirs = Theirs::from_der(&time).unwrap();
            assert_eq!(theirs.to_unix_duration().as_secs(), expected);
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "690101000000Z",
            "500101000000Z",
            "691231235959Z",
            "010001000000Z",
            "011301000000Z",
            "019901000000Z",
            "010100000000Z",
            "010132000000Z",
            "010229000000Z",
            "010230000000Z",
            "000230000000Z",
            "010431000000Z",
            "010631000000Z",
            "010931000000Z",
            "011131000000Z",
            "010101240000Z",
            "010101006000Z",
            "010101000060Z",
            "010101999999Z",
            "0101010000000",
            "010101000000z",
            "01010100000 Z",
            "0101010000:0Z",
            "/10101000000Z",
            "-10101000000Z",
            "0101010000?0Z",
        ] {
            assert_eq!(found(&utc(text), 0), None, "{text}");
        }
        for text in [
            "19691231235959Z",
            "00000101000000Z",
            "21000229000000Z",
            "22000229000000Z",
            "20230229000000Z",
            "2023022900000Z",
            "20:30101000000Z",
            ":0230101000000Z",
            "202301010000009",
            "20231301000000Z",
            "20230101000000+",
        ] {
            assert_eq!(found(&general(text), 0), None, "{text}");
        }
        // Fractions, zones, no seconds, another length, another tag.
        for text in ["20230101000000.5Z", "202301010000Z"] {
            assert_eq!(found(&general(text), 0), None, "{text}");
        }
        for text in ["0101010000Z", "010101000000+0000"] {
            assert_eq!(found(&utc(text), 0), None, "{text}");
        }
        let good = utc("010101000000Z");
        assert!(found(&good, 0).is_some());
        for tag in [0x13, 0x16, 0x19, 0x0c, 0x97] {
            let mut other = good.clone();
            other[0] = tag;
            assert_eq!(found(&other, 0), None);
        }
        for (length, of) in [
            (15, good.clone()),
            (12, good.clone()),
            (13, general("20010101000000Z")),
        ] {
            let mut other = of;
            other[1] = length;
            assert_eq!(found(&other, 0), None);
        }
        // One form in the clothes of the other.
        let mut disguised = general("20010101000000Z");
        disguised[0] = UTC_TIME;
        assert_eq!(found(&disguised, 0), None);
    }

    /// Every day of four centuries natively; the first and the last of each month, and leap days, in the circuit.
    #[test]
    fn every_day_follows_the_one_before() {
        let mut expected = 0;
        for year in 1970..2370u64 {
            for month in 1..=12 {
                for day in 1..=31 {
                    let time = general(&format!("{year:04}{month:02}{day:02}000000Z"));
                    if let Some((seconds, _)) = seconds(&time, 0) {
                        assert_eq!(seconds, expected, "{year} {month} {day}");
                        expected += 86_400;
                        if day == 1 && year % 20 == 10 || (month == 2 && day > 27 && year % 3 == 1)
                        {
                            assert_eq!(found(&time, 0), Some((seconds, 17)));
                        }
                    } else if year % 20 == 11 || (month == 2 && day < 31 && year % 3 == 1) {
                        assert_eq!(found(&time, 0), None, "{year} {month} {day}");
                    }
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn as_der_says(year in 1970u16..=9999, month in 1u8..=12, day in 1u8..=31, hour in 0u8..24, minute in 0u8..60, second in 0u8..60) {
            let theirs = DateTime::new(year, month, day, hour, minute, second).ok();
            let text = format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}Z");
            let ours = found(&general(&text), 0).map(|(seconds, _)| seconds);
            prop_assert_eq!(ours, theirs.map(|time| time.unix_duration().as_secs()));
            if let Some(theirs) = theirs {
                let der = GeneralizedTime::from_date_time(theirs).to_der().unwrap();
                prop_assert_eq!(der, general(&text));
                prop_assert!(DateTime::from_str(&theirs.to_string()).is_ok());
            }
        }
    }

    #[test]
    fn nothing_is_left_open() {
        for time in [
            utc("010203040506Z"),
            utc("990228235959Z"),
            general("20240229235959Z"),
            general("30000101000000Z"),
        ] {
            let assignment = build(&time, 0, false).0.into_assignment();
            assert_determined(shape(), &assignment);
            assert_rigid(shape(), &assignment, 1);
        }
    }

    #[test]
    fn a_time_costs_what_is_written() {
        let mut system = System::new(&[Fr::ZERO], true);
        let zero = system.instance(0);
        let bytes = vec![zero.clone(); 1079];
        unix_seconds(&mut system, &bytes, &zero);
        assert_eq!(system.into_r1cs().rows.len(), 656);
    }
}
