use super::*;

fn faults(bytes: &[u8], parse: impl FnOnce(Table<'_>) -> Option<()>) -> String {
    Document::read("d.toml", bytes).and_then(|document| document.parse(parse)).unwrap_err().to_string()
}

#[test]
fn a_document_that_nobody_reads_has_only_unknown_keys() {
    let text = faults(b"a = 1\n[b]\nc = 2\n", |table| {
        drop(table);
        Some(())
    });
    assert_eq!(
        text,
        "d.toml:1: a: unknown key\n  mend: remove it; no key is known here\n\
         d.toml:2: b: unknown key\n  mend: remove it; no key is known here"
    );
}

#[test]
fn bytes_that_are_no_text_are_refused_before_they_are_parsed() {
    let refused = |bytes: &[u8]| faults(bytes, |_| unreachable!());
    assert_eq!(
        refused(b"\xef\xbb\xbfa = 1"),
        "d.toml: begins with a byte-order mark\n  mend: save it as UTF-8 without one"
    );
    assert_eq!(refused(b"a = 1\nb = '\xff'\n"), "d.toml:2: not UTF-8\n  mend: save it as UTF-8");
    let large = refused(&vec![b'\n'; LARGEST + 1]);
    assert_eq!(large, "d.toml: holds 65537 bytes; a document holds at most 65536\n  mend: make it shorter");
    assert!(Document::read("d.toml", &vec![b'\n'; LARGEST]).is_ok());
}

#[test]
fn keys_given_twice_are_told_with_their_tables_and_beside_other_faults() {
    let text = faults(b"a = 1\na = 2\n[x.y]\nb = 1\nb = 2\n[x.y]\n", |mut table| {
        assert!(table.optional("a").is_some());
        let mut x = table.optional("x")?.table()?;
        let mut y = x.optional("y")?.table()?;
        y.optional("b")?.text()?;
        Some(())
    });
    assert_eq!(
        text,
        "d.toml:2: a: `a` is given twice\n  mend: keep one of them\n\
         d.toml:4: x.y.b: expected a string, found an integer, `1`\n  mend: put it in quotes\n\
         d.toml:5: x.y.b: `b` is given twice\n  mend: keep one of them\n\
         d.toml:6: x.y: `y` is given twice\n  mend: keep one of them"
    );
}

#[test]
fn broken_syntax_is_told_alone() {
    let text = faults(b"a = = 1\nc = \n", |_| unreachable!());
    assert!(text.starts_with("d.toml:1: not valid TOML: extra `=`"), "{text}");
}

/// The parser goes on behind a mistake with a guess, and what it says then is of the guess.
#[test]
fn of_broken_syntax_the_first_mistake_is_told_and_none_that_follows_from_it() {
    let keys = "b = 1\nc = \"x\"\n[d]\ne = [1, 2]\n".repeat(20);
    for (before, place) in [("a = [\"]\", 'x[', # [\n \"\"\"\n]\"\"\"\n", 1), ("[t]\nu = [[1], [2]]\nv = [\"x\"\n", 3)]
    {
        let text = faults(format!("{before}{keys}").as_bytes(), |_| unreachable!());
        assert_eq!(text.matches("not valid TOML").count(), 1, "{text}");
        let mend = format!("\n  mend: correct this line, or close with `]` the array that begins in line {place}");
        assert!(text.ends_with(&mend), "{text}");
    }
    let text = faults(b"[t]\na = [1, 2]\nb = [3 4]\nc = = 1\na = 2\n", |_| unreachable!());
    assert!(text.starts_with("d.toml:3: not valid TOML: ") && text.ends_with("\n  mend: correct this line"), "{text}");
}

#[test]
fn quotes_are_the_mend_only_where_what_stands_between_them_would_be_good() {
    let read =
        |text: &str| faults(text.as_bytes(), |mut table| table.optional("a")?.read_with(str::parse::<u8>).map(drop));
    assert_eq!(read("a = 5"), "d.toml:1: a: expected a string, found an integer, `5`\n  mend: put it in quotes");
    assert!(read("a = 500").ends_with("\n  mend: number too large to fit in target type"));
    assert!(read("a = true").ends_with("\n  mend: cannot parse integer from empty string"));
}

#[test]
fn a_deep_document_is_refused_and_does_not_exhaust_the_stack() {
    let deep = format!("a = {}{}", "[".repeat(30_000), "]".repeat(30_000));
    let text = faults(deep.as_bytes(), |_| unreachable!());
    assert!(text.contains("recurs"), "{text}");
    let dotted = format!("{}a = 1", "a.".repeat(30_000));
    let _ = Document::read("d.toml", dotted.as_bytes()).map(|document| document.lines());
}

#[test]
fn no_value_without_a_fault_is_a_fault_itself() {
    assert_eq!(faults(b"", |_| None), "d.toml: cannot be read");
}

/// Found by fuzzing: each fault was put in its place among all others, and looked for its table in all the text above it, which took
/// seconds for one document.
#[test]
fn a_document_of_nothing_but_faults_is_told_by_its_beginning() {
    for (line, faulty) in [("a=1\n", 16_383), ("[a]\n", 16_383)] {
        let text = line.repeat(LARGEST / line.len());
        let told = Document::read("d.toml", text.as_bytes())
            .and_then(|document| document.parse(|mut table| table.optional("a").map(drop)))
            .unwrap_err();
        assert_eq!((told.iter().count(), told.len()), (100, faulty), "{line:?}");
        assert!(told.to_string().len() < 20_000);
    }
}
