//! temporary
use crate::support::{
    guests,
    home::{Home, KEY, Plugin},
};
use std::process::Command;

#[test]
#[ignore]
fn hold() {
    let home = Home::new();
    home.install(&Plugin::plain(
        "fixture",
        &guests::path("fixture"),
        &["echo", "slow", "contents", "fail", "canary", "log"],
    ));
    let grants = "[grants.files.tree]\nroot = \"tree\"\naccess = \"read\"\n";
    std::fs::write(home.tree().join("a.txt"), "hello").unwrap();
    home.install(&Plugin::granted(
        "files",
        &guests::files(),
        &[
            ("list", "[\"files.tree\"]"),
            ("read", "[\"files.tree\"]"),
            ("search", "[\"files.tree\"]"),
            ("stat", "[\"files.tree\"]"),
        ],
        grants,
    ));
    let serving = home.serve();
    let status = Command::new("sh")
        .arg("-c")
        .arg(std::env::var("ATTACK").unwrap())
        .env("URL", serving.url())
        .env("KEY", KEY)
        .env("HOME_DIR", home.path())
        .status()
        .unwrap();
    println!("{status}");
    println!("{}", serving.stderr());
}
