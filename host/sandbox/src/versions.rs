//! What this build serves and with which engine, as `wardkeep --version` tells it. Tests keep both true; nothing decides by them.

/// The engine's version. wasmtime tells no program its own: the test below reads it from `Cargo.lock`.
pub const WASMTIME: &str = "48.0.8";

/// The packages of `wit/` that plugins may be compiled against, sorted.
pub const WIT_PACKAGES: [&str; 6] = [
    "wardkeep:files@0.1.0",
    "wardkeep:http@0.1.0",
    "wardkeep:log@0.1.0",
    "wardkeep:progress@0.1.0",
    "wardkeep:secrets@0.1.0",
    "wardkeep:tool@0.1.0",
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use wardkeep_capabilities::Interface;
    use wit_parser::Resolve;

    use super::*;

    #[test]
    fn the_engine_is_the_one_that_is_linked() {
        let lock = include_str!("../../../Cargo.lock");
        let after = lock.split_once("name = \"wasmtime\"\nversion = \"").unwrap().1;
        assert_eq!(after.split('"').next(), Some(WASMTIME));
    }

    #[test]
    fn the_packages_are_those_of_wit_and_each_is_served() {
        let mut resolve = Resolve::default();
        resolve.push_dir(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit"))).unwrap();
        let versioned = resolve.packages.iter().filter(|(_, package)| package.name.version.is_some());
        let mut names: Vec<_> = versioned.map(|(_, package)| package.name.to_string()).collect();
        names.sort();
        assert_eq!(names, WIT_PACKAGES);
        for (_, interface) in resolve.interfaces.iter() {
            let (Some(package), Some(name)) = (interface.package, &interface.name) else { continue };
            let id = resolve.packages[package].name.interface_id(name);
            // What plugins export is the sandbox's own; what they import is a capability.
            assert!(id.starts_with("wardkeep:tool/") || Interface::parse(&id).is_some(), "`{id}` is not served");
        }
    }
}
