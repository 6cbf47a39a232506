//! Times against the calendar, der and x509-cert; what is no time.

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
                    if day == 1 && year % 20 == 10 || (month == 2 && day > 27 && year % 3 == 1) {
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
