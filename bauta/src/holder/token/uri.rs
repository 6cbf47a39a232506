//! What a PKCS#11 URI says (RFC 7512), as far as it matters here: which module, which token in it, which object on that, and where
//! the PIN is.
//!
//! Read here rather than by pk11-uri-parser, the one crate for it that is looked after: that one leaves percent-encoding undone, takes
//! a misspelt attribute for a vendor's and so ignores it, and quotes the whole URI, a `pin-value` with it, in its errors. What is not
//! understood is refused: an attribute that is passed over could have named another key.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

const SCHEME: &str = "pkcs11:";
/// What stands for itself in every value, beside letters and digits (RFC 7512, 2.3: pk11-res-avail and RFC 3986's "unreserved").
const PLAIN: &str = "-._~:[]@!$'()*+,=";
/// And in a value before the question mark.
const PLAIN_IN_PATH: &str = "&";
/// And in one after it.
const PLAIN_IN_QUERY: &str = "/?|";
/// What is encoded in a URI that is shown.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'+')
    .remove(b'@');

/// A URI that names a key, or a certificate, on a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TokenUri {
    /// The vendor's module, as it is written.
    pub(super) module: PathBuf,
    pub(super) token: TokenName,
    pub(super) object: ObjectName,
    /// File with the PIN.
    pub(super) pin_source: Option<PathBuf>,
}

/// What the token must say of itself; what is not named may be anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct TokenName {
    pub(super) label: Option<String>,
    pub(super) serial: Option<String>,
    pub(super) manufacturer: Option<String>,
    pub(super) model: Option<String>,
    pub(super) slot: Option<u64>,
}

/// What the object must say of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ObjectName {
    /// CKA_LABEL.
    pub(super) label: Option<Vec<u8>>,
    /// CKA_ID.
    pub(super) id: Option<Vec<u8>>,
    pub(super) class: Option<Class>,
}

/// What kind of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Private,
    Certificate,
}

/// Why a URI is not taken. No message quotes a value, which could be a PIN.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // the message says what each is
pub(crate) enum UriError {
    #[error("it does not begin with pkcs11:")]
    Scheme,
    #[error("attribute {0:?} has no value: write it as NAME=VALUE")]
    NoValue(String),
    #[error("attribute {0} is there twice: leave one out")]
    Twice(&'static str),
    #[error(
        "attribute {0} stands on the wrong side of the question mark: token, serial, manufacturer, model, slot-id, object, id and type \
         stand before it, separated by semicolons; module-path and pin-source after it, separated by &"
    )]
    WrongSide(String),
    #[error(
        "attribute {0:?} is not understood: leave it out, or name the token by token, serial, manufacturer, model or slot-id, and the key \
         by object or id"
    )]
    Unknown(String),
    #[error("{character:?} stands unencoded in {attribute}: write it as {}", .encoded)]
    Character {
        attribute: &'static str,
        character: char,
        encoded: String,
    },
    #[error(
        "{0} has a percent sign without two hexadecimal digits after it: a percent sign itself is written %25"
    )]
    Percent(&'static str),
    #[error("{0} is not UTF-8")]
    NotText(&'static str),
    #[error("slot-id is no decimal number")]
    Slot,
    #[error(
        "its type is {0:?}: a key is type=private, a certificate type=cert, and either may be left out"
    )]
    Type(String),
    #[error(
        "it says no module: add ?module-path=FILE with the PKCS#11 module of your card's vendor, or OpenSC's (opensc-pkcs11.so)"
    )]
    NoModule,
    #[error(
        "module-name is not resolved here, since where modules lie differs from system to system: give the file by module-path=FILE \
         (`p11-kit list-modules` shows it)"
    )]
    ModuleName,
    #[error(
        "pin-value stands on the command line, where every process of this machine can read it: change that PIN, put the new one \
         into a file of mode 600, and name that by pin-source=file:FILE, or name none and type it"
    )]
    PinValue,
    #[error(
        "pin-source names no file of this machine: write pin-source=file:FILE; programs and other hosts are not asked"
    )]
    PinSource,
}

impl TokenUri {
    /// Reads a URI.
    pub(super) fn parse(uri: &str) -> Result<Self, UriError> {
        let rest = strip_scheme(uri).ok_or(UriError::Scheme)?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut token = TokenName::default();
        let mut object = ObjectName::default();
        for attribute in path.split(';').filter(|attribute| !attribute.is_empty()) {
            let (name, value) = pair(attribute)?;
            let decoded = |name| decode(name, value, PLAIN_IN_PATH);
            let text =
                |name| String::from_utf8(decoded(name)?).map_err(|_| UriError::NotText(name));
            match name {
                "token" => once("token", &mut token.label, text("token")?)?,
                "serial" => once("serial", &mut token.serial, text("serial")?)?,
                "manufacturer" => {
                    once(
                        "manufacturer",
                        &mut token.manufacturer,
                        text("manufacturer")?,
                    )?;
                }
                "model" => once("model", &mut token.model, text("model")?)?,
                "slot-id" => once("slot-id", &mut token.slot, slot(value)?)?,
                "object" => once("object", &mut object.label, decoded("object")?)?,
                "id" => once("id", &mut object.id, decoded("id")?)?,
                "type" => once("type", &mut object.class, class(value)?)?,
                "module-path" | "module-name" | "pin-source" | "pin-value" => {
                    return Err(UriError::WrongSide(name.to_owned()));
                }
                other => return Err(UriError::Unknown(other.to_owned())),
            }
        }
        let mut module = None;
        let mut pin_source = None;
        for attribute in query.split('&').filter(|attribute| !attribute.is_empty()) {
            let (name, value) = pair(attribute)?;
            match name {
                "module-path" => {
                    let path = decode("module-path", value, PLAIN_IN_QUERY)?;
                    once("module-path", &mut module, OsString::from_vec(path).into())?;
                }
                "pin-source" => once("pin-source", &mut pin_source, file(value)?)?,
                "module-name" => return Err(UriError::ModuleName),
                "pin-value" => return Err(UriError::PinValue),
                "token" | "serial" | "manufacturer" | "model" | "slot-id" | "object" | "id"
                | "type" => return Err(UriError::WrongSide(name.to_owned())),
                other => return Err(UriError::Unknown(other.to_owned())),
            }
        }
        Ok(Self {
            module: module
                .filter(|path: &PathBuf| !path.as_os_str().is_empty())
                .ok_or(UriError::NoModule)?,
            token,
            object,
            pin_source,
        })
    }
}

/// Whether a command's argument is a PKCS#11 URI, and not a file.
pub(super) fn is_uri(argument: &str) -> bool {
    strip_scheme(argument).is_some()
}

/// Text in the form that a URI has it in.
pub(super) fn text(value: &[u8]) -> String {
    percent_encode(value, ENCODED).to_string()
}

/// An id in the form that a URI has it in: every octet encoded (RFC 7512, 2.3).
pub(super) fn id(value: &[u8]) -> String {
    value
        .iter()
        .map(|octet| percent_encoding::percent_encode_byte(*octet))
        .collect()
}

/// Schemes may be written in capitals (RFC 3986, 3.1).
fn strip_scheme(uri: &str) -> Option<&str> {
    let (scheme, rest) = uri.split_at_checked(SCHEME.len())?;
    scheme.eq_ignore_ascii_case(SCHEME).then_some(rest)
}

fn pair(attribute: &str) -> Result<(&str, &str), UriError> {
    attribute
        .split_once('=')
        .ok_or_else(|| UriError::NoValue(attribute.to_owned()))
}

fn once<T>(name: &'static str, place: &mut Option<T>, value: T) -> Result<(), UriError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(UriError::Twice(name)),
    }
}

fn decode(attribute: &'static str, value: &str, plain_here: &str) -> Result<Vec<u8>, UriError> {
    let plain = |character: char| {
        character.is_ascii_alphanumeric()
            || PLAIN.contains(character)
            || plain_here.contains(character)
    };
    for (at, character) in value.char_indices() {
        if character == '%' {
            let digits = value.as_bytes().get(at + 1..at + 3);
            if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                return Err(UriError::Percent(attribute));
            }
        } else if !plain(character) {
            return Err(UriError::Character {
                attribute,
                character,
                encoded: text(character.encode_utf8(&mut [0; 4]).as_bytes()),
            });
        }
    }
    Ok(percent_decode_str(value).collect())
}

fn slot(value: &str) -> Result<u64, UriError> {
    Some(value)
        .filter(|value| value.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|value| value.parse().ok())
        .ok_or(UriError::Slot)
}

fn class(value: &str) -> Result<Class, UriError> {
    match value {
        "private" => Ok(Class::Private),
        "cert" => Ok(Class::Certificate),
        other => Err(UriError::Type(other.to_owned())),
    }
}

/// The file of `pin-source`: a path, or a `file:` URI without a host (RFC 8089).
fn file(value: &str) -> Result<PathBuf, UriError> {
    let path = match value.strip_prefix("file:") {
        None => value,
        Some(path) => match path.strip_prefix("//") {
            None => path,
            Some(path) if path.starts_with('/') => path,
            Some(_) => return Err(UriError::PinSource),
        },
    };
    if path.is_empty() || path.starts_with('|') {
        return Err(UriError::PinSource);
    }
    let path = decode("pin-source", path, PLAIN_IN_QUERY)?;
    Ok(OsString::from_vec(path).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(uri: &str) -> TokenUri {
        TokenUri::parse(uri).unwrap()
    }

    fn refused(uri: &str) -> UriError {
        TokenUri::parse(uri).unwrap_err()
    }

    #[test]
    fn what_opensc_and_p11_kit_print_is_read() {
        let uri = parse(
            "pkcs11:model=PKCS%2315%20emulated;manufacturer=www.CardContact.de;serial=DENK0100000;\
             token=Ada%20%28UserPIN%29;id=%10%fF;object=Authentication%20Key;type=private\
             ?module-path=/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so&pin-source=file:/run/pin",
        );
        assert_eq!(
            uri,
            TokenUri {
                module: "/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so".into(),
                token: TokenName {
                    label: Some("Ada (UserPIN)".into()),
                    serial: Some("DENK0100000".into()),
                    manufacturer: Some("www.CardContact.de".into()),
                    model: Some("PKCS#15 emulated".into()),
                    slot: None,
                },
                object: ObjectName {
                    label: Some(b"Authentication Key".to_vec()),
                    id: Some(vec![0x10, 0xff]),
                    class: Some(Class::Private),
                },
                pin_source: Some("/run/pin".into()),
            }
        );
        let uri = parse("PKCS11:slot-id=7;type=cert?module-path=m.so");
        assert_eq!(uri.token.slot, Some(7));
        assert_eq!(uri.object.class, Some(Class::Certificate));
        assert_eq!(
            parse("pkcs11:?module-path=m.so").object,
            ObjectName::default()
        );
    }

    #[test]
    fn a_pin_source_is_a_file() {
        for (source, path) in [
            ("file:/run/pin", "/run/pin"),
            ("file:///run/pin", "/run/pin"),
            ("/run/my%20pin", "/run/my pin"),
            ("pin", "pin"),
            ("file:pin", "pin"),
        ] {
            let uri = parse(&format!("pkcs11:?module-path=m.so&pin-source={source}"));
            assert_eq!(uri.pin_source, Some(path.into()), "{source}");
        }
        for source in ["", "file:", "|cat%20pin", "file://host/pin", "file:|cat"] {
            let uri = format!("pkcs11:?module-path=m.so&pin-source={source}");
            assert_eq!(refused(&uri), UriError::PinSource, "{source}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let with_module = |path: &str| refused(&format!("pkcs11:{path}?module-path=m.so"));
        assert_eq!(refused("client.key"), UriError::Scheme);
        assert_eq!(refused("pkcs1"), UriError::Scheme);
        assert_eq!(refused("pkcs11:object=auth"), UriError::NoModule);
        assert_eq!(refused("pkcs11:?module-path="), UriError::NoModule);
        assert_eq!(refused("pkcs11:?module-name=opensc"), UriError::ModuleName);
        assert_eq!(with_module("objet=auth"), UriError::Unknown("objet".into()));
        assert_eq!(
            with_module("Object=auth"),
            UriError::Unknown("Object".into())
        );
        assert_eq!(
            with_module("x-vendor=1"),
            UriError::Unknown("x-vendor".into())
        );
        assert_eq!(with_module("id=%01;id=%01"), UriError::Twice("id"));
        assert_eq!(with_module("object"), UriError::NoValue("object".into()));
        assert_eq!(with_module("type=public"), UriError::Type("public".into()));
        assert_eq!(with_module("token=%ff"), UriError::NotText("token"));
        for percent in ["id=%", "id=%1", "id=%1g", "id=%%01", "id=%+1"] {
            assert_eq!(with_module(percent), UriError::Percent("id"), "{percent}");
        }
        for slot in ["slot-id=", "slot-id=-1", "slot-id=+1", "slot-id=0x1"] {
            assert_eq!(with_module(slot), UriError::Slot, "{slot}");
        }
        for side in [
            "pkcs11:module-path=m.so",
            "pkcs11:?object=a&module-path=m.so",
        ] {
            assert!(matches!(refused(side), UriError::WrongSide(_)), "{side}");
        }
        for (value, encoded) in [("Ada Card", "%20"), ("Ada/auth", "%2F"), ("é", "%C3%A9")] {
            let said = with_module(&format!("token={value}")).to_string();
            assert!(said.ends_with(encoded), "{said}");
        }
        // A semicolon where an ampersand belongs.
        let said = refused("pkcs11:?module-path=m.so;pin-source=pin").to_string();
        assert!(said.contains("';'"), "{said}");
    }

    #[test]
    fn a_pin_in_the_uri_is_refused_and_not_repeated() {
        for uri in [
            "pkcs11:object=auth?module-path=m.so&pin-value=7316049582",
            "pkcs11:pin-value=7316049582?module-path=m.so",
        ] {
            let error = refused(uri);
            assert!(!format!("{error} {error:?}").contains("7316049582"));
        }
        assert!(
            refused("pkcs11:?pin-value=1")
                .to_string()
                .contains("every process")
        );
    }

    #[test]
    fn what_is_shown_can_be_read_again() {
        let (label, octets) = ("Ada's key; 100 %/é?&".as_bytes(), [0, 0x41, 0xff]);
        assert_eq!(id(&octets), "%00%41%FF");
        let uri = format!(
            "pkcs11:object={};id={}?module-path=m",
            text(label),
            id(&octets)
        );
        let object = parse(&uri).object;
        assert_eq!(object.label.as_deref(), Some(label));
        assert_eq!(object.id.as_deref(), Some(&octets[..]));
    }
}
