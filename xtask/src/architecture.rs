//! ARCHITECTURE.md's list of what may depend on what, compared with Cargo's.

mod tests {
    use std::{
        collections::{BTreeMap, BTreeSet},
        path::Path,
        process::Command,
    };

    type Arrows = BTreeMap<String, BTreeSet<String>>;

    fn drawn(page: &str) -> Arrows {
        let list = page
            .split("<!-- dependencies:")
            .nth(1)
            .and_then(|rest| rest.split("```").nth(1))
            .expect("ARCHITECTURE.md has its dependency list");
        list.lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(package, targets)| {
                (
                    package.to_owned(),
                    targets.split_whitespace().map(str::to_owned).collect(),
                )
            })
            .collect()
    }

    fn real(root: &Path) -> Arrows {
        let output = Command::new(env!("CARGO"))
            .args([
                "metadata",
                "--format-version",
                "1",
                "--no-deps",
                "--offline",
            ])
            .current_dir(root)
            .output()
            .expect("cargo metadata runs");
        let metadata: serde_json::Value =
            serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
        let packages = metadata["packages"].as_array().expect("packages");
        packages
            .iter()
            .filter_map(|package| {
                let name = package["name"].as_str()?;
                if matches!(name, "xtask" | "bauta-benches" | "bauta-fuzz-bodies") {
                    return None; // nothing depends on them, and they may use anything
                }
                let targets = package["dependencies"]
                    .as_array()?
                    .iter()
                    .filter(|dependency| dependency["kind"].is_null())
                    .filter_map(|dependency| dependency["name"].as_str())
                    .filter(|dependency| dependency.starts_with("bauta"))
                    .map(str::to_owned)
                    .collect();
                Some((name.to_owned(), targets))
            })
            .collect()
    }

    #[test]
    fn the_picture_is_what_cargo_says() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .expect("a workspace");
        let page = std::fs::read_to_string(root.join("ARCHITECTURE.md")).expect("the page");
        let (drawn, real) = (drawn(&page), real(root));
        for (package, targets) in &real {
            let allowed = drawn
                .get(package)
                .unwrap_or_else(|| panic!("ARCHITECTURE.md does not list {package}"));
            assert_eq!(
                targets, allowed,
                "{package}: Cargo (left), ARCHITECTURE.md (right)"
            );
        }
        assert_eq!(
            drawn.len(),
            real.len(),
            "ARCHITECTURE.md lists a package that is not there"
        );
    }
}
