//! Subjects, extensions and names in every form.

use super::*;

#[test]
fn subjects_in_any_form() {
    let (o, ou, cn) = (
        alone(O, 0x0c, b"Acme"),
        alone(OU, 0x13, b"Research"),
        alone(CN, 0x16, b"Ada"),
    );
    let together = tlv(
        0x31,
        &[attribute(CN, 0x0c, b"Ada"), attribute(O, 0x0c, b"Acme")].concat(),
    );
    let schema = [
        subject(5, Text, O),
        subject(15, Text, OU),
        subject(7, Text, CN),
    ];
    let all = |what: &str, sets: &[Vec<u8>]| {
        let values = both(what, &of_subject(sets), &schema).unwrap();
        [0, 10, 2].map(|slot: usize| values[slot].clone())
    };
    let some = [&b"Acme"[..], b"Research", b"Ada"].map(|v| Value::Text(v.to_vec()));
    assert_eq!(all("in order", &[o.clone(), ou.clone(), cn.clone()]), some);
    assert_eq!(all("backwards", &[cn.clone(), ou.clone(), o.clone()]), some);
    assert_eq!(all("two in a set", &[together.clone(), ou.clone()]), some);
    assert_eq!(all("two in the last set", &[ou.clone(), together]), some);
    let absent = [const { Value::Absent }; 3];
    assert_eq!(all("nothing", &[]), absent);
    assert_eq!(
        all("others", &[alone(&[0x55, 0x04, 0x2a], 0x1e, &[0, 65])]),
        absent
    );
    // Twelve, one of a long value of another type that nobody reads; and thirteen.
    let mut many = vec![alone(&[0x55, 0x04, 0x0d], 0x14, &[b'x'; 300])];
    many.extend(vec![alone(&[0x55, 0x04, 0x2a], 0x0c, b"x"); 10]);
    many.push(o.clone());
    assert_eq!(all("twelve", &many)[0], some[0]);
    many.push(cn.clone());
    let refused =
        |what: &str, sets: &[Vec<u8>]| both(what, &of_subject(sets), &schema).unwrap_err();
    assert_eq!(refused("thirteen", &many), AttributesError::LongSubject(12));
    // No sequence of sets.
    let attribute = attribute(O, 0x0c, b"Acme");
    let mut long = cn.clone();
    long[1] += o.len() as u8;
    let mut beyond = cn.clone();
    beyond[1] += 1;
    let mut short = cn.clone();
    short[1] -= 1;
    let value = tlv(0x30, &[tlv(0x06, O), vec![0x0c, 1, b'x', 0x05, 0]].concat());
    for (what, sets) in [
        ("an attribute without a set", vec![attribute.clone()]),
        ("after a set", vec![cn.clone(), attribute]),
        ("an empty set", vec![tlv(0x31, &[])]),
        ("an empty set first", vec![tlv(0x31, &[]), cn.clone()]),
        ("a set within a set", vec![tlv(0x31, &cn)]),
        ("a set that takes the next one in", vec![long, o.clone()]),
        ("a set that is too long", vec![beyond]),
        ("a set that is too short", vec![short]),
        ("something behind a value", vec![tlv(0x31, &value)]),
        ("no value", vec![tlv(0x31, &tlv(0x30, &tlv(0x06, O)))]),
        ("no identifier", vec![alone(&[], 0x0c, b"x")]),
        (
            "an identifier of 28 octets",
            vec![alone(&[0x2a; 28], 0x0c, b"x")],
        ),
    ] {
        assert_eq!(refused(what, &sets), AttributesError::Subject, "{what}");
    }
}

#[test]
fn identifiers_are_whole() {
    let longest = [0x2a; 27];
    let sets = [
        alone(&[0x55, 0x04], 0x0c, b"shorter"),
        alone(&[0x55, 0x04, 0x0a, 0x01], 0x0c, b"longer"),
        alone(&[0x55, 0x04, 0x0a, 0x00], 0x0c, b"with a zero"),
        alone(&longest, 0x0c, b"longest"),
        alone(&longest[1..], 0x0c, b"one less"),
    ];
    let tbs = of_subject(&sets);
    let read = |identifier: &[u8]| one("prefixes", &tbs, subject(5, Text, identifier));
    assert_eq!(read(O), Ok(Value::Absent));
    assert_eq!(read(&[0x55, 0x04, 0x0a, 0x01]), text(b"longer"));
    assert_eq!(read(&[0x55, 0x04, 0x0a, 0x00]), text(b"with a zero"));
    assert_eq!(read(&longest), text(b"longest"));
    assert_eq!(read(&longest[1..]), text(b"one less"));
    // The same identifier at another source is another.
    let tbs = of_extensions(&[extension(O, false, &tlv(0x0c, b"Acme")), other()]);
    assert_eq!(one("source", &tbs, subject(5, Text, O)), Ok(Value::Absent));
    assert_eq!(
        one("source", &tbs, from_extension(5, Text, O)),
        text(b"Acme")
    );
}

#[test]
fn what_looks_like_an_attribute_is_none() {
    let inner = alone(O, 0x0c, b"Acme");
    let sets = [alone(CN, 0x0c, &inner[..]), alone(OU, 0x0c, b"x")];
    let tbs = of_subject(&sets);
    assert_eq!(
        one("look-alike", &tbs, subject(5, Text, O)),
        Ok(Value::Absent)
    );
    let alike = extension(SAN, false, &tlv(0x30, &tlv(0x81, b"eve@example.org")));
    let tbs = of_extensions(&[extension(LEVEL, false, &alike), other()]);
    let email = from_name(5, SanKind::Email);
    assert_eq!(
        one("a name in an extension", &tbs, email.clone()),
        Ok(Value::Absent)
    );
    // A directory name that contains a name.
    let nested = tlv(0x30, &inner);
    let tbs = of_extensions(&[alternative(&[(0xa4, &nested), (0xa0, &tlv(0x81, b"x"))])]);
    assert_eq!(one("nested", &tbs, email), Ok(Value::Absent));
}

#[test]
fn one_of_several_is_the_one_that_is_named_or_none() {
    let sets = [b"a", b"b", b"c"].map(|value| alone(OU, 0x0c, value));
    let tbs = of_subject(&sets);
    let ou = || subject(9, Text, OU);
    let twice = one("three", &tbs, ou());
    assert!(matches!(
        twice,
        Err(AttributesError::Twice { count: 3, .. })
    ));
    for (number, value) in [b"a", b"b", b"c"].into_iter().enumerate() {
        assert_eq!(one("named", &tbs, nth(ou(), number as u8)), text(value));
    }
    for number in [3, 4, 100, 253, 254] {
        assert_eq!(one("none", &tbs, nth(ou(), number)), Ok(Value::Absent));
    }
    // All of them, at once.
    let schema: Vec<Attribute> = (0..6)
        .map(|number| Attribute {
            slot: 15 - number,
            ..nth(ou(), number)
        })
        .collect();
    let values = both("six", &tbs, &schema).unwrap();
    let texts = [b"c", b"b", b"a"].map(|value| Value::Text(value.to_vec()));
    assert_eq!(values[8..], texts);
    assert!(values[..8].iter().all(|value| *value == Value::Absent));
    // One that is not read does not hide behind another.
    let tbs = of_subject(&[alone(OU, 0x1e, &[0, 65]), alone(OU, 0x0c, b"b")]);
    assert!(matches!(
        one("two", &tbs, ou()),
        Err(AttributesError::Twice { .. })
    ));
    let first = one("of another type", &tbs, nth(ou(), 0));
    assert!(matches!(
        first,
        Err(AttributesError::Encoding { tag: 0x1e, .. })
    ));
    assert_eq!(one("the second", &tbs, nth(ou(), 1)), text(b"b"));
}

#[test]
fn extensions_in_any_form() {
    let level = || extension(LEVEL, false, &[12, 1, b'5']);
    let read = |what: &str, extensions: &[Vec<u8>]| {
        one(
            what,
            &of_extensions(extensions),
            from_extension(5, Text, LEVEL),
        )
    };
    assert_eq!(read("alone", &[level()]), text(b"5"));
    let mut many: Vec<Vec<u8>> = (0..12)
        .map(|number| extension(&[0x55, 0x1d, 0x60 + number], false, &[]))
        .collect();
    many.push(extension(&[0x2b; 20], false, &[7; 200]));
    many.push(level());
    assert_eq!(read("fourteen", &many), text(b"5"));
    many.push(other());
    assert_eq!(read("fifteen", &many), Err(AttributesError::Extensions(14)));
    assert!(matches!(
        read("twice", &[level(), level()]),
        Err(AttributesError::Twice { .. })
    ));
    for known in [
        KEY_USAGE,
        BASIC_CONSTRAINTS,
        EXTENDED_KEY_USAGE,
        SUBJECT_ALTERNATIVE_NAME,
        CERTIFICATE_POLICIES,
    ] {
        let one = extension(&known, true, &[0x30, 0]);
        assert_eq!(
            read("known and critical", &[one.clone(), level()]),
            text(b"5")
        );
        let twice = read("known and twice", &[one.clone(), level(), one]);
        assert!(matches!(twice, Err(AttributesError::ExtensionTwice(_))));
    }
    let strange = |critical| extension(&[0x2a, 3], critical, &[5, 0]);
    assert_eq!(read("unknown", &[strange(false), level()]), text(b"5"));
    let refused = read("unknown and critical", &[level(), strange(true)]);
    assert_eq!(refused, Err(AttributesError::Critical("1.2.3".into())));
    let ours = extension(LEVEL, true, &[12, 1, b'5']);
    assert_eq!(
        read("read and critical", std::slice::from_ref(&ours)),
        text(b"5")
    );
    let unread = one(
        "critical, and a subject's",
        &of_extensions(&[ours]),
        subject(5, Text, LEVEL),
    );
    assert!(matches!(unread, Err(AttributesError::Critical(_))));
    let raw = |parts: &[&[u8]]| tlv(0x30, &parts.concat());
    let identifier = tlv(0x06, LEVEL);
    let value = tlv(0x04, &[12, 1, b'5']);
    for (what, bad) in [
        ("critical FALSE", raw(&[&identifier, &[1, 1, 0], &value])),
        (
            "critical of another octet",
            raw(&[&identifier, &[1, 1, 1], &value]),
        ),
        (
            "critical of two octets",
            raw(&[&identifier, &[1, 2, 0xff], &value]),
        ),
        (
            "critical twice",
            raw(&[&identifier, &[1, 1, 0xff, 1, 1, 0xff], &value]),
        ),
        ("no value", raw(&[&identifier])),
        ("critical and no value", raw(&[&identifier, &[1, 1, 0xff]])),
        ("an INTEGER", raw(&[&identifier, &[2, 1, 1], &value])),
        ("something behind", raw(&[&identifier, &value, &[5, 0]])),
        ("a BIT STRING", raw(&[&identifier, &tlv(0x03, &[0, 1])])),
        ("no identifier", raw(&[&value])),
        (
            "a SET",
            tlv(0x31, &[identifier.clone(), value.clone()].concat()),
        ),
    ] {
        assert_eq!(
            read(what, &[other(), bad]),
            Err(AttributesError::Extensions(14)),
            "{what}"
        );
    }
    assert_eq!(read("none", &[]), Err(AttributesError::Extensions(14)));
}

#[test]
fn names_in_any_form() {
    let read = |what: &str, names: &[(u8, &[u8])], attribute: Attribute| {
        one(
            what,
            &of_extensions(&[other(), alternative(names)]),
            attribute,
        )
    };
    let (email, dns) = (
        || from_name(5, SanKind::Email),
        || from_name(6, SanKind::Dns),
    );
    let all: [(u8, &[u8]); 5] = [
        (0xa0, &[6, 1, 42, 0xa0, 2, 12, 0]),
        (0x82, b"a.example"),
        (0x81, b"ada@example.org"),
        (0x87, &[127, 0, 0, 1]),
        (0x82, b"b.example"),
    ];
    assert_eq!(read("e-mail", &all, email()), text(b"ada@example.org"));
    assert!(matches!(
        read("two hosts", &all, dns()),
        Err(AttributesError::Twice { .. })
    ));
    assert_eq!(read("the second", &all, nth(dns(), 1)), text(b"b.example"));
    assert_eq!(read("no third", &all, nth(dns(), 2)), Ok(Value::Absent));
    assert_eq!(read("no names", &[], email()), Ok(Value::Absent));
    assert_eq!(
        read("constructed", &[(0xa1, b"x")], email()),
        Ok(Value::Absent)
    );
    assert_eq!(
        one("no extension", &of_extensions(&[other()]), email()),
        Ok(Value::Absent)
    );
    let eight: Vec<(u8, &[u8])> = [vec![(0x86u8, &b"x:y"[..]); 7], vec![(0x81, b"a@b")]].concat();
    assert_eq!(read("eight", &eight, email()), text(b"a@b"));
    let nine = [&eight[..], &[(0x86, b"x:z")]].concat();
    assert_eq!(read("nine", &nine, email()), Err(AttributesError::Names(8)));
    assert!(matches!(
        read("NUL", &[(0x81, b"a\0b")], email()),
        Err(AttributesError::ControlCharacter(_))
    ));
    for (what, content) in [
        ("no sequence", tlv(0x31, &tlv(0x81, b"x"))),
        (
            "something behind",
            [tlv(0x30, &tlv(0x81, b"x")), vec![5, 0]].concat(),
        ),
        ("a name that is too long", tlv(0x30, &[0x81, 2, b'x'])),
        ("half a header", tlv(0x30, &[0x81])),
        ("nothing", vec![]),
        ("a sequence that is too long", vec![0x30, 5, 0x81, 1, b'x']),
    ] {
        let tbs = of_extensions(&[extension(SAN, false, &content), other()]);
        assert_eq!(
            one(what, &tbs, email()),
            Err(AttributesError::Names(8)),
            "{what}"
        );
    }
}
