//! `cargo xtask codegen`: the gRPC code of the signers' stream, from the `.proto` file, by protox (no `protoc`). The
//! result is committed, so that nobody needs to run this to build; a test here fails when the two differ.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::tools::repository;

const PROTO_ROOT: &str = "signer/node/proto";
const PROTO: &str = "bauta/signer/v1/signer.proto";
const PACKAGE: &str = "bauta.signer.v1.rs";

/// Which half of the service a crate gets.
#[derive(Clone, Copy)]
enum Side {
    Client,
    Server,
}

/// Where each half is committed.
const OUTPUTS: [(Side, &str); 2] = [
    (Side::Client, "signer/node/src/transport/generated.rs"),
    (Side::Server, "service/src/coordinator/generated.rs"),
];

fn generate(side: Side) -> Result<String> {
    let files = protox::compile([PROTO], [repository().join(PROTO_ROOT)])
        .context("signer.proto does not compile")?;
    let out = std::env::temp_dir().join(format!(
        "bauta-codegen-{}-{}",
        std::process::id(),
        matches!(side, Side::Client)
    ));
    fs::create_dir_all(&out)?;
    let (client, server) = match side {
        Side::Client => (true, false),
        Side::Server => (false, true),
    };
    tonic_prost_build::configure()
        .build_client(client)
        .build_server(server)
        .build_transport(false)
        .out_dir(&out)
        .compile_fds(files)?;
    let code = fs::read_to_string(out.join(PACKAGE))?;
    fs::remove_dir_all(&out)?;
    Ok(format!(
        "// Made by `cargo xtask codegen` from {PROTO_ROOT}/{PROTO}; do not edit.\n{code}"
    ))
}

/// Writes the generated files into the tree; with `check`, only compares, and fails, naming the remedy, where a committed
/// file is not what would be written.
pub(crate) fn run(check: bool) -> Result<()> {
    for (side, path) in OUTPUTS {
        let fresh = generate(side)?;
        let target = repository().join(path);
        if !check {
            fs::write(&target, fresh).with_context(|| format!("writing {path}"))?;
        } else if fs::read_to_string(&target).unwrap_or_default() != fresh {
            bail!("{path} is stale: run `cargo xtask codegen` and commit the result");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn generated_code_is_fresh() {
        super::run(true).unwrap();
    }
}
