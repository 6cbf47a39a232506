#!/bin/sh
# The compiler as `cargo xtask fuzz` calls it (RUSTC_WRAPPER). cargo-fuzz instruments every crate alike; the edges of curve
# arithmetic and hashes tell libFuzzer nothing, and each of its comparisons would call it. So those crates are not instrumented,
# and the ones of ours into which their generic code is compiled keep their edges, without a call per comparison.
crate=
for argument; do
    [ "$last" = --crate-name ] && crate=$argument
    last=$argument
done
case $crate in
ark_* | taceo_ark_babyjubjub | num_bigint | curve25519_dalek | ed25519_dalek | x25519_dalek | fiat_crypto | sha2 | blake2 | \
    keccak | merlin | subtle | rand* | chacha20* | aes* | poly1305 | polyval | generic_array)
    exec "$@" -Cllvm-args=-sanitizer-coverage-level=0 -Cllvm-args=-simplifycfg-branch-fold-threshold=2
    ;;
bauta_statement | bauta_circuits | bauta_prover | bauta_verifier | bauta_fuzz_bodies)
    exec "$@" -Cllvm-args=-sanitizer-coverage-trace-compares=0
    ;;
esac
exec "$@"
