//! Texts and integers to their edges.

use super::*;

#[test]
fn texts_end_where_they_say() {
    let read = |tag: u8, value: &[u8]| {
        let tbs = of_subject(&[alone(CN, 0x0c, b"y"), alone(O, tag, value)]);
        one(
            &format!("{tag:02x} {value:02x?}"),
            &tbs,
            subject(5, Text, O),
        )
    };
    for length in [1, 2, 30, 31, 32, 61, 62, 63, 64] {
        let value: Vec<u8> = (0..length).map(|byte| 0x20 + byte as u8).collect();
        assert_eq!(read(0x0c, &value), text(&value));
    }
    for length in [0usize, 65, 127, 128, 200, 300] {
        assert!(matches!(
            read(0x0c, &vec![b'x'; length]),
            Err(AttributesError::Length(_))
        ));
    }
    // The relation hashes bytes; a front refuses what is no text.
    for (bytes, is_text) in [
        (&b"\xff\xfe"[..], false),
        (b"\xc2\x85", false),
        ("Zürich".as_bytes(), true),
    ] {
        let value = read(0x0c, bytes).unwrap();
        assert_eq!(value.to_attribute().is_some(), is_text);
    }
    for tag in [0x0c, 0x13, 0x16] {
        assert_eq!(read(tag, "Zürich".as_bytes()), text("Zürich".as_bytes()));
    }
    for tag in [
        0x02, 0x04, 0x0d, 0x12, 0x14, 0x1a, 0x1c, 0x1e, 0x2c, 0x8c, 0xff,
    ] {
        assert!(matches!(
            read(tag, b"x"),
            Err(AttributesError::Encoding { .. })
        ));
    }
    for control in (0..=255u8).filter(u8::is_ascii_control) {
        for value in [
            vec![control],
            vec![b'x', control],
            [&[b'x'; 63][..], &[control]].concat(),
        ] {
            if control % 8 == 0 || control == 127 || value.len() == 1 {
                assert!(matches!(
                    read(0x0c, &value),
                    Err(AttributesError::ControlCharacter(_))
                ));
            }
        }
    }
}

#[test]
fn integers_are_strict() {
    let number = |value: u64| Ok(Value::Integer(value));
    let read = |value: &[u8]| {
        let tbs = of_subject(&[alone(LEVEL, 0x13, value), alone(CN, 0x0c, b"123")]);
        one(&format!("{value:02x?}"), &tbs, subject(5, Integer, LEVEL))
    };
    for good in [0, 7, 10, 42, 9_999_999_999, u64::MAX, u64::MAX - 9] {
        assert_eq!(read(good.to_string().as_bytes()), number(good));
    }
    for bad in [
        "07",
        "00",
        "-1",
        "+1",
        "1 ",
        " 1",
        "1.0",
        "0x1",
        "18446744073709551616",
        "99999999999999999999",
        "100000000000000000000",
        "000000000000000000000",
        "1/",
        "1:",
        "1?",
        "१",
        "p",
        "@",
    ] {
        assert!(
            matches!(read(bad.as_bytes()), Err(AttributesError::Integer(_))),
            "{bad}"
        );
    }
    let extension = |content: &[u8], kind| {
        let tbs = of_extensions(&[other(), extension(LEVEL, true, content)]);
        one(
            &format!("{content:02x?}"),
            &tbs,
            from_extension(5, kind, LEVEL),
        )
    };
    for (content, value) in [
        (&[2u8, 1, 0][..], 0),
        (&[2, 1, 0x7f], 127),
        (&[2, 2, 0, 0x80], 128),
        (&[2, 2, 1, 0], 256),
        (&[2, 8, 0x7f, 1, 2, 3, 4, 5, 6, 13], 0x7f01_0203_0405_060d),
        (&[2, 9, 0, 255, 255, 255, 255, 255, 255, 255, 255], u64::MAX),
        (&[12, 1, b'5'], 5),
        (&[0x16, 2, b'5', b'7'], 57),
    ] {
        assert_eq!(extension(content, Integer), number(value));
    }
    for content in [
        &[2, 1, 0x80][..],
        &[2, 1, 0xff],
        &[2, 2, 0, 1],
        &[2, 2, 0, 0],
        &[2, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0],
        &[2, 9, 0, 0x7f, 0, 0, 0, 0, 0, 0, 0],
        &[2, 10, 0, 128, 1, 1, 1, 1, 1, 1, 1, 1],
        &[12, 1, b'x'],
    ] {
        assert!(matches!(
            extension(content, Integer),
            Err(AttributesError::Integer(_))
        ));
    }
    for (content, kind) in [
        (&[2u8, 1, 5][..], Text),
        (&[10, 1, 5], Integer),
        (&[4, 1, b'5'], Integer),
    ] {
        assert!(matches!(
            extension(content, kind),
            Err(AttributesError::Encoding { .. })
        ));
    }
    for content in [
        &[2u8, 1, 1, 0][..],
        &[2, 2, 1],
        &[12, 1, b'5', b'5'],
        &[12, 3, b'5', b'5'],
    ] {
        assert!(matches!(
            extension(content, Integer),
            Err(AttributesError::Trailing(_))
        ));
    }
    for content in [&[2u8, 0][..], &[12, 0], &[], &[12, 0x81, 0x80]] {
        assert!(extension(content, Integer).is_err());
    }
    // No INTEGER in a name.
    let tbs = of_subject(&[alone(LEVEL, 0x02, &[5])]);
    let found = one("an INTEGER in a name", &tbs, subject(5, Integer, LEVEL));
    assert!(matches!(
        found,
        Err(AttributesError::Encoding { tag: 2, .. })
    ));
}
