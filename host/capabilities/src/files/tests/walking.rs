//! `walk`: order, pages, ignore files, bounds.

use super::*;

const ALL: WalkOptions = WalkOptions { heed_ignore_files: false, hidden: true, max_depth: None, page: 0 };
const HEEDING: WalkOptions = WalkOptions { heed_ignore_files: true, hidden: false, max_depth: None, page: 0 };

async fn page(tree: &mut Tree, path: &str, options: WalkOptions, cursor: Option<String>) -> WalkPage {
    tree.call.walk("root".into(), path.into(), options, cursor).await.unwrap().unwrap()
}

/// All pages.
async fn walked(tree: &mut Tree, path: &str, options: WalkOptions) -> (Vec<String>, u32, usize) {
    let (mut names, mut skipped, mut pages, mut cursor) = (Vec::new(), 0, 0, None);
    loop {
        let told = page(tree, path, options, cursor).await;
        assert!(options.page == 0 || told.entries.len() <= options.page as usize);
        names.extend(told.entries.into_iter().map(|entry| entry.name));
        skipped += told.skipped;
        pages += 1;
        cursor = told.cursor;
        if cursor.is_none() {
            return (names, skipped, pages);
        }
    }
}

fn project() -> Tree {
    let tree = Tree::new();
    for path in ["a.txt", "a/b", "a/c/d", "a0", ".hidden/x", "z"] {
        tree.file(path, "1");
    }
    tree
}

#[tokio::test]
async fn a_walk_is_in_the_order_of_the_paths_bytes_whatever_the_page() {
    let mut tree = project();
    let expected = [".hidden", ".hidden/x", "a", "a.txt", "a/b", "a/c", "a/c/d", "a0", "z"];
    let mut sorted = expected;
    sorted.sort_unstable();
    assert_eq!(sorted, expected);
    for size in 0..=10 {
        let (names, skipped, _) = walked(&mut tree, "", WalkOptions { page: size, ..ALL }).await;
        assert_eq!((names, skipped), (expected.map(String::from).to_vec(), 0), "page {size}");
    }
}

#[tokio::test]
async fn a_walk_begins_where_it_is_told_and_goes_as_deep_as_it_is_told() {
    let mut tree = project();
    assert_eq!(walked(&mut tree, "a", ALL).await.0, ["a/b", "a/c", "a/c/d"]);
    assert_eq!(walked(&mut tree, "a/c", WalkOptions { page: 1, ..ALL }).await.0, ["a/c/d"]);
    assert_eq!(walked(&mut tree, "a", WalkOptions { max_depth: Some(1), ..ALL }).await.0, ["a/b", "a/c"]);
    assert_eq!(
        walked(&mut tree, "", WalkOptions { hidden: false, max_depth: Some(1), ..ALL }).await.0,
        ["a", "a.txt", "a0", "z"]
    );
    let file = tree.call.walk("root".into(), "z".into(), ALL, None).await.unwrap();
    assert!(matches!(file, Err(Error::NotADirectory)));
}

#[tokio::test]
async fn ignore_files_leave_out_what_they_name_as_git_and_ripgrep_do() {
    let mut tree = Tree::new();
    tree.file(".gitignore", "target/\n*.log\n!keep.log\n/only-here\n");
    tree.file(".ignore", "secret.txt\n");
    tree.file("sub/.gitignore", "*.tmp\n!deep.log\n");
    tree.file("sub/.ignore", "!allowed.log\n");
    for path in [
        "target/debug/x",
        "sub/target/x",
        "a.log",
        "keep.log",
        "only-here",
        "sub/only-here",
        "secret.txt",
        "sub/a.tmp",
        "a.tmp",
        "sub/deep.log",
        "sub/allowed.log",
        "sub/other.log",
        ".git/config",
    ] {
        tree.file(path, "1");
    }
    let expected =
        ["a.tmp", "keep.log", "sub", "sub/allowed.log", "sub/deep.log", "sub/only-here"].map(String::from).to_vec();
    for size in [0, 1, 2] {
        assert_eq!(walked(&mut tree, "", WalkOptions { page: size, ..HEEDING }).await.0, expected, "page {size}");
    }
    // The rules of the directories above count too; a name in one of them is relative to where it stands.
    assert_eq!(walked(&mut tree, "sub", HEEDING).await.0, expected[3..]);
    let all = walked(&mut tree, "", WalkOptions { hidden: true, ..HEEDING }).await.0;
    assert!(!all.iter().any(|name| name.starts_with(".git/")) && all.contains(&".ignore".to_owned()), "{all:?}");
}

#[tokio::test]
async fn links_and_pipes_are_told_and_not_followed() {
    let mut tree = project();
    symlink("../outside", tree.at("out")).unwrap();
    symlink("a", tree.at("in")).unwrap();
    let told = page(&mut tree, "", WalkOptions { max_depth: Some(2), ..ALL }, None).await;
    for name in ["in", "out"] {
        let entry = told.entries.iter().find(|entry| entry.name == name).unwrap();
        assert_eq!((entry.kind, entry.size), (Kind::Other, 0), "{name}");
    }
    assert!(told.entries.iter().all(|entry| !entry.name.starts_with("in/") && !entry.name.starts_with("out/")));
}

#[tokio::test]
async fn what_cannot_be_told_is_left_out_and_what_is_beyond_the_bounds_is_counted() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let mut tree = Tree::new();
    tree.file("good", "1");
    fs::write(tree.at("").join(OsStr::from_bytes(b"bad\xff")), "1").unwrap();
    tree.file("back\\slash", "1");
    let deep = vec!["d"; 70].join("/");
    tree.file(&format!("{deep}/x"), "1");
    tree.file("ignored/.gitignore", "x\n".repeat(40_000));
    let (names, skipped, _) = walked(&mut tree, "", ALL).await;
    assert!(
        names.contains(&"good".to_owned()) && !names.iter().any(|name| name.contains("bad") || name.contains('\\'))
    );
    assert_eq!(names.iter().filter(|name| name.starts_with('d')).count(), 64);
    assert_eq!(skipped, 1, "the directory below the 64th level");
    for size in [0, 3] {
        let (_, skipped, _) = walked(&mut tree, "", WalkOptions { page: size, ..HEEDING }).await;
        assert_eq!(skipped, 2, "and the ignore file that is too long, once, page {size}");
    }
}

#[tokio::test]
async fn a_cursor_that_a_guest_invents_only_skips_entries_for_itself() {
    let mut tree = project();
    for invented in ["../../outside/", "a/c", "\u{0}", "zzzz", "/etc"] {
        let told = page(&mut tree, "", ALL, Some(invented.to_owned())).await;
        assert!(told.entries.iter().all(|entry| entry.name.as_str() > invented), "{invented}: {:?}", told.entries);
    }
    let long = tree.call.walk("root".into(), String::new(), ALL, Some("x".repeat(5_000))).await.unwrap();
    assert!(matches!(long, Err(Error::InvalidPath)));
}

#[tokio::test]
async fn ten_thousand_files_are_three_pages() {
    let mut tree = Tree::new();
    for directory in 0..100 {
        fs::create_dir(tree.at(&format!("{directory:02}"))).unwrap();
        for file in 0..100 {
            fs::File::create(tree.at(&format!("{directory:02}/{file:02}"))).unwrap();
        }
    }
    let (names, _, pages) = walked(&mut tree, "", HEEDING).await;
    assert_eq!((names.len(), pages), (10_100, 3));
    assert!(names.windows(2).all(|pair| pair[0] < pair[1]));
}

/// A tree of as many directories, each with this ignore file and a file `hidden` that it leaves out.
fn ignoring(directories: usize, rules: &str) -> Tree {
    let tree = Tree::new();
    for directory in 0..directories {
        tree.file(&format!("{directory:03}/.gitignore"), rules);
        tree.file(&format!("{directory:03}/hidden"), "1");
    }
    tree
}

/// Walks it, and gives what was told in spite of its ignore file and what was skipped.
async fn unheeded(tree: &mut Tree) -> (Vec<String>, u32) {
    let (mut names, skipped, _) = walked(tree, "", HEEDING).await;
    names.retain(|name| name.ends_with("hidden"));
    (names, skipped)
}

#[tokio::test]
async fn a_page_heeds_256_kib_of_ignore_files_and_not_one_more() {
    let full = format!("hidden\n#{}", "x".repeat((64 << 10) - 8));
    assert_eq!(full.len(), 64 << 10);
    let mut tree = ignoring(4, &full);
    assert_eq!(unheeded(&mut tree).await, (vec![], 0));
    tree.file("004/.gitignore", "\n");
    tree.file("004/hidden", "1");
    tree.file("005/.gitignore", "");
    assert_eq!(unheeded(&mut tree).await, (vec!["004/hidden".to_owned()], 1));
}

#[tokio::test]
async fn a_page_heeds_4000_patterns_and_not_one_more() {
    // Comments and empty lines are none.
    let rules = format!("# rules\n\nhidden\n{}", "x\n".repeat(999));
    let mut tree = ignoring(4, &rules);
    assert_eq!(unheeded(&mut tree).await, (vec![], 0));
    tree.file("004/.gitignore", "hidden\n");
    tree.file("004/hidden", "1");
    assert_eq!(unheeded(&mut tree).await, (vec!["004/hidden".to_owned()], 1));
    // One more in a file that would fit without it.
    let mut tree = ignoring(3, &rules);
    tree.file("003/.gitignore", format!("{rules}x\n"));
    tree.file("003/hidden", "1");
    assert_eq!(unheeded(&mut tree).await, (vec!["003/hidden".to_owned()], 1));
}

#[tokio::test]
async fn the_next_page_has_a_budget_of_its_own_and_heeds_the_directories_above_first() {
    let full = format!("hidden\n#{}", "x".repeat((64 << 10) - 8));
    let mut tree = ignoring(8, &full);
    tree.file(".gitignore", "everywhere\n");
    tree.file("007/everywhere", "1");
    let (names, ..) = walked(&mut tree, "", WalkOptions { page: 1, ..HEEDING }).await;
    assert!(!names.iter().any(|name| name.ends_with("hidden") || name.ends_with("everywhere")), "{names:?}");
    let in_one_page = unheeded(&mut tree).await;
    assert_eq!((in_one_page.0.len(), in_one_page.1), (5, 5), "three and the root's fit into one");
}

#[tokio::test]
async fn all_pages_of_a_call_heed_so_many_patterns_and_then_none() {
    let mut tree = Tree::new();
    // every page reads it again
    tree.file(".gitignore", format!("hidden*\n{}", "x\n".repeat(3_999)));
    for number in 0..60 {
        tree.file(&format!("file{number:02}"), "1");
        tree.file(&format!("hidden{number:02}"), "1");
    }
    let (mut heeded, mut unheeded, mut cursor) = (0, 0, None);
    loop {
        let told = page(&mut tree, "", WalkOptions { page: 1, ..HEEDING }, cursor).await;
        if told.skipped == 0 {
            heeded += 1;
            assert!(told.entries.iter().all(|entry| entry.name.starts_with("file")), "{:?}", told.entries);
        } else {
            assert_eq!(told.skipped, 1, "said on each page");
            unheeded += 1;
        }
        cursor = told.cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(heeded, 50, "200,000 patterns");
    assert!(unheeded >= 60, "and {unheeded} pages with all that is there");
}

#[tokio::test]
async fn a_tree_full_of_heavy_ignore_files_costs_little() {
    let mut tree = Tree::new();
    let rules: String = (0..2_000).map(|number| format!("**/*a*{number}*b?[!c-e]*/**\n")).collect();
    assert!(rules.len() < 64 << 10);
    for directory in 0..400 {
        tree.file(&format!("{directory:03}/.gitignore"), &rules);
        tree.file(&format!("{directory:03}/.ignore"), &rules);
    }
    let begun = Instant::now();
    let (names, skipped, pages) = walked(&mut tree, "", HEEDING).await;
    assert_eq!((names.len(), skipped, pages), (400, 798, 1));
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[test]
fn a_walk_whose_call_has_ended_enters_no_directory() {
    let tree = project();
    let start = GuestPath::parse("a").unwrap();
    let walk = |token: &CallToken, options: WalkOptions| {
        let root = cap_std::fs::Dir::open_ambient_dir(tree.at(""), cap_std::ambient_authority()).unwrap();
        Work { root: Arc::new(root), token: token.clone(), patterns: Arc::default() }.walk(&start, options, None)
    };
    let token = CallToken::new(Duration::from_secs(20));
    assert_eq!(walk(&token, HEEDING).unwrap().entries.len(), 3);
    token.cancel();
    assert!(matches!(walk(&token, HEEDING), Err(Error::Failed)));
    assert!(matches!(walk(&token, ALL), Err(Error::Failed)));
    assert!(matches!(walk(&CallToken::new(Duration::ZERO), ALL), Err(Error::Failed)));
}
