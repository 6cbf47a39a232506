//! Constraint systems and witnesses in iden3's binary formats, `.r1cs` (version 1) and `.wtns` (version 2), which circom's
//! tools, snarkjs among them, read. Sources: iden3/r1csfile's `doc/r1cs_bin_format.md`, and snarkjs' `wtns_utils.js`.
//!
//! Our columns have their order already: the constant one, the public inputs (hidden ones first: to these tools all
//! instances are public), the witnesses. Integers are little-endian; a field element is 32 bytes, not in Montgomery form.

use ark_ff::{BigInteger, PrimeField};
use bauta_statement::field::{self, ENCODED_LEN, Fr};
use zeroize::Zeroizing;

use crate::system::{Assignment, R1cs, Terms};

/// A file: four letters, version, number of sections; then each section with its type and length.
fn file(magic: &[u8; 4], version: u32, sections: &[(u32, &[u8])]) -> Vec<u8> {
    // Room for all of it: a witness's buffer that grew would leave copies behind.
    let length = sections
        .iter()
        .map(|(_, bytes)| 12 + bytes.len())
        .sum::<usize>();
    let mut out = Vec::with_capacity(12 + length);
    out.extend(magic);
    out.extend(version.to_le_bytes());
    out.extend((sections.len() as u32).to_le_bytes());
    for (kind, bytes) in sections {
        out.extend(kind.to_le_bytes());
        out.extend((bytes.len() as u64).to_le_bytes());
        out.extend(*bytes);
    }
    out
}

/// Size of a field element, and the field's modulus.
fn field_header() -> Vec<u8> {
    let mut out = (ENCODED_LEN as u32).to_le_bytes().to_vec();
    out.extend(Fr::MODULUS.to_bytes_le());
    out
}

/// The `.r1cs` file of a relation: rows a·b = c, no outputs, every instance a public input, every witness a private one, and
/// each wire its own label.
pub fn r1cs(shape: &R1cs) -> Vec<u8> {
    let wires = shape.instances + shape.witnesses;
    let mut header = field_header();
    for count in [wires, 0, shape.instances - 1, shape.witnesses] {
        header.extend((count as u32).to_le_bytes());
    }
    header.extend((wires as u64).to_le_bytes());
    header.extend((shape.rows.len() as u32).to_le_bytes());

    let mut constraints = Vec::new();
    for side in shape.rows.iter().flat_map(|row| row.sides()) {
        put_terms(&mut constraints, side);
    }
    let labels: Vec<u8> = (0..wires as u64).flat_map(u64::to_le_bytes).collect();
    file(b"r1cs", 1, &[(1, &header), (2, &constraints), (3, &labels)])
}

fn put_terms(out: &mut Vec<u8>, terms: Terms<'_>) {
    out.extend((terms.len() as u32).to_le_bytes());
    for (column, factor) in terms.iter() {
        out.extend(column.to_le_bytes());
        out.extend(field::to_bytes(&factor));
    }
}

/// The `.wtns` file of an assignment. It holds the witness, so the holder secret: keep it sealed, and erase it.
pub fn wtns(assignment: &Assignment) -> Zeroizing<Vec<u8>> {
    let values = assignment.values();
    let mut header = field_header();
    header.extend((values.len() as u32).to_le_bytes());
    let mut body = Zeroizing::new(Vec::with_capacity(values.len() * ENCODED_LEN));
    for value in values {
        body.extend(Zeroizing::new(field::to_bytes(value)).iter());
    }
    Zeroizing::new(file(b"wtns", 2, &[(1, &header), (2, &body)]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::System;

    /// One instance, x, and its root w: w·w = x, and (w + 2)·3 = x + 6·1 written as a row that holds for w = 3 only.
    fn small(recording: bool) -> System {
        let mut system = System::new(&[Fr::from(9)], recording);
        let (x, w) = (system.instance(0), system.witness(Fr::from(3)));
        system.enforce(&w, &w, &x);
        system.enforce(
            &(&w + Fr::from(2)),
            &crate::system::Lc::constant(Fr::from(3)),
            &(&x + Fr::from(6)),
        );
        system
    }

    fn hex(text: &str) -> Vec<u8> {
        let digits: String = text.split_whitespace().collect();
        (0..digits.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
            .collect()
    }

    const PRIME: &str = "010000f093f5e1439170b97948e833285d588181b64550b829a031e1724e6430";

    fn scalar(value: u8) -> String {
        format!("{value:02x}{}", "00".repeat(31))
    }

    #[test]
    fn an_r1cs_file_is_as_the_specification_draws_it() {
        let [two, three, six, one] = [2, 3, 6, 1].map(scalar);
        let expected = format!(
            "72316373 01000000 03000000
             01000000 4000000000000000 20000000 {PRIME}
               03000000 00000000 01000000 01000000 0300000000000000 02000000
             02000000 3801000000000000
               01000000 02000000 {one}  01000000 02000000 {one}  01000000 01000000 {one}
               02000000 00000000 {two} 02000000 {one}
               01000000 00000000 {three}
               02000000 00000000 {six} 01000000 {one}
             03000000 1800000000000000 0000000000000000 0100000000000000 0200000000000000"
        );
        assert_eq!(r1cs(&small(true).into_r1cs()), hex(&expected));
    }

    #[test]
    fn a_witness_file_is_as_snarkjs_writes_it() {
        let expected = format!(
            "77746e73 02000000 02000000
             01000000 2800000000000000 20000000 {PRIME} 03000000
             02000000 6000000000000000 {}{}{}",
            scalar(1),
            scalar(9),
            scalar(3)
        );
        assert_eq!(*wtns(&small(false).into_assignment()), hex(&expected));
    }
}
