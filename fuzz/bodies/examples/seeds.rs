//! Writes `fuzz/seeds/` anew.

fn main() -> std::io::Result<()> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../seeds");
    for (target, seeds) in bauta_fuzz_bodies::seeds::all() {
        let folder = root.join(target);
        std::fs::create_dir_all(&folder)?;
        for (name, bytes) in seeds {
            std::fs::write(folder.join(name), bytes)?;
        }
    }
    Ok(())
}
