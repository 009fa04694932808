use std::{fs, path::Path};

use wardkeep_gateway::Allowance;
use wardkeep_model::{Authenticated, Digest, Limits};

use super::*;

fn parse(text: &str) -> Result<Config, Faults> {
    Config::parse("wardkeep.toml", text.as_bytes(), Path::new("/home/me/wardkeep"))
}

/// Each bad file beside the exact text that the operator reads. `WARDKEEP_BLESS=1` writes the texts anew.
#[test]
fn every_bad_file_is_told_in_full() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/faults");
    let mut files: Vec<_> = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    assert!(files.len() >= 5, "the golden files are gone");
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let told = format!("{}\n", parse(&text).expect_err(&path.display().to_string()));
        let golden = path.with_extension("txt");
        if std::env::var_os("WARDKEEP_BLESS").is_some() {
            fs::write(&golden, &told).unwrap();
        }
        assert_eq!(told, fs::read_to_string(&golden).unwrap_or_default(), "{}", path.display());
    }
}

#[test]
fn one_mistake_in_a_table_is_told_once_and_no_other_table_is_blamed_for_it() {
    let text = format!(
        "format = 1\n[trust]\nroot_sha256 = \"{}\"\n[listen]\nhttp = \"here\"\npublic_url = \"https://tools.example.com/mcp\"\n\
         [callers.oauth.corp]\nissuer = \"https://login.example.com\"\njwks = \"corp.json\"\n",
        Digest::of(b"t")
    );
    let told = parse(&text).unwrap_err();
    assert_eq!(told.iter().map(|fault| fault.key.as_str()).collect::<Vec<_>>(), ["listen.http"], "{told}");
    let whole = parse(&text.replace("here", "127.0.0.1:1")).unwrap();
    assert_eq!(whole.issuers.len(), 1);
    let told = parse(&text.replace("here", "127.0.0.1:1").replace("public_url", "origin")).unwrap_err().to_string();
    assert!(told.contains("`listen.public_url` does not say it"), "{told}");
    let broken = text.replace("\"here\"", "[\"here\"");
    let told = parse(&broken).unwrap_err();
    assert_eq!(told.len(), 1, "{told}");
    assert!(told.to_string().contains("close with `]` the array that begins in line 5"), "{told}");
}

#[test]
fn the_file_that_init_writes_is_accepted_and_names_the_user() {
    let root = Digest::of(b"trust");
    let config = parse(&render(root, "me")).unwrap();
    assert_eq!(config.root, root);
    assert_eq!(config.listen, Listen::default());
    assert_eq!(config.ceilings, Limits::CEILING);
    assert_eq!(config.compile, CompileLimits::default());
    assert_eq!(config.allowances, Allowances::default());
    let stdio = config.callers.stdio.unwrap();
    assert_eq!((stdio.name.as_str(), stdio.authenticated, stdio.writes), ("user:me", Authenticated::Stdio, false));
}

#[test]
fn what_init_writes_as_a_comment_is_accepted_once_it_is_none() {
    let text = render(Digest::of(b"trust"), "me");
    let bare: Vec<_> =
        text.lines().map(|line| line.strip_prefix("# ").filter(|rest| is_setting(rest)).unwrap_or(line)).collect();
    let text = bare.join("\n").replace("sha256 = \"...\"", &format!("sha256 = \"{}\"", Digest::of(b"key")));
    let config = parse(&text).unwrap();
    assert_eq!(config.deployment.as_deref(), Some("prod"));
    assert_eq!(config.ceilings, Limits::CEILING);
    assert_eq!(config.compile, CompileLimits::default());
    let ci = Allowance { rate: "10/s".parse().unwrap(), ..Allowance::DEFAULT };
    let allowances = Allowances { apart: [("service:ci".to_owned(), ci)].into(), ..Allowances::default() };
    assert_eq!(config.allowances, allowances, "the template tells the defaults");
    assert_eq!(config.roots.values().collect::<Vec<_>>(), [Path::new("/srv/reports")]);
    assert_eq!(config.callers.keys.len(), 1);
    assert_eq!(config.confirmation, Confirmation::default());
    assert!(text.contains("\n[brakes]\n") && text.contains("\nplugin = { denials"), "{text}");
    assert_eq!(config.brakes, BrakeTerms::default());
    assert_eq!(config.sources, Sources { file: Some("/run/secrets/wardkeep".into()), env: true });
    assert_eq!(config.egress.ca.as_deref(), Some(Path::new("/home/me/wardkeep/corp.pem")));
    assert_eq!(config.egress.private, ["10.2.0.0/16".parse().unwrap()]);
    assert_eq!(config.egress.name_servers, ["127.0.0.1:53".parse().unwrap()]);
}

#[test]
fn nothing_is_opened_that_the_operator_does_not_name() {
    let config = parse(&render(Digest::of(b"trust"), "me")).unwrap();
    assert_eq!((config.sources, config.egress), (Sources::default(), Egress::default()));
}

fn is_setting(line: &str) -> bool {
    line.starts_with('[') || line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '))
}

#[test]
fn an_empty_caller_table_allows_nobody() {
    let config = parse(&format!("format = 1\n[trust]\nroot_sha256 = \"{}\"\n", Digest::of(b"t"))).unwrap();
    assert!(config.callers.stdio.is_none() && config.callers.keys.is_empty());
}

#[test]
fn a_key_ends_with_its_last_day_and_roots_are_relative_to_the_file() {
    let text = format!(
        "format = 1\n[trust]\nroot_sha256 = \"{0}\"\n[roots]\nhere = \"data\"\n[callers.keys.ci]\nsha256 = \"{0}\"\n\
         principal = \"service:ci\"\nexpires = 2027-01-31\n",
        Digest::of(b"t")
    );
    let config = parse(&text).unwrap();
    assert_eq!(config.callers.keys[0].expires, Some("2027-02-01T00:00:00Z".parse().unwrap()));
    assert_eq!(config.roots.values().next().unwrap(), Path::new("/home/me/wardkeep/data"));
}

#[test]
fn who_is_set_apart_has_what_is_said_of_it_and_the_rest_of_what_all_have() {
    let text = format!(
        "format = 1\n[trust]\nroot_sha256 = \"{}\"\n[limits]\nrate = \"5/s\"\nconcurrency = 4\ncalls = 8\n\
         [limits.callers.\"user:me\"]\nwrites = \"1/min\"\nconcurrency = 2\n",
        Digest::of(b"t")
    );
    let Allowances { each, apart, calls } = parse(&text).unwrap().allowances;
    assert_eq!(calls, 8);
    let rate = "5/s".parse().unwrap();
    assert_eq!(each, Allowance { rate, concurrency: 4, ..Allowance::DEFAULT });
    let me = Allowance { writes: "1/min".parse().unwrap(), concurrency: 2, ..each };
    assert_eq!(apart, [("user:me".to_owned(), me)].into());
}

#[test]
fn the_page_on_limits_shows_a_file_that_is_accepted_and_the_defaults_that_there_are() {
    let page = include_str!("../../../../docs/limits.md");
    let shown = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let text = format!("format = 1\n[trust]\nroot_sha256 = \"{}\"\n{shown}", Digest::of(b"t"));
    assert_ne!(parse(&text).unwrap().allowances, Allowances::default());
    let Allowances { each, calls, .. } = Allowances::default();
    let told = |key: &str, default: String| {
        let row = page.lines().find(|line| line.contains(key)).unwrap_or_else(|| panic!("no row of {key}"));
        let plain = row.replace(['_', ','], "");
        assert!(plain.contains(&default), "{row}: the default is {default}");
    };
    told("`limits.rate`", format!("`\"{}\"`", each.rate));
    told("`limits.writes`", format!("`\"{}\"`", each.writes));
    told("`limits.fuel_per_minute`", format!("`{}`", each.fuel_per_minute));
    told("`limits.concurrency` |", format!("| {} |", each.concurrency));
    told("`limits.calls`", format!("| {calls} |"));
}

#[test]
fn an_issuer_is_taken_with_bounds_and_its_tokens_are_for_this_host() {
    let text = |more: &str| {
        format!(
            "format = 1\n[trust]\nroot_sha256 = \"{}\"\n[listen]\npublic_url = \"https://tools.example.com/mcp\"\n\
             [callers.oauth.corp]\nissuer = \"https://login.example.com/\"\n{more}",
            Digest::of(b"t")
        )
    };
    let config = parse(&text("jwks = \"corp.json\"\n")).unwrap();
    let [issuer] = config.issuers.as_slice() else { panic!() };
    assert_eq!(issuer.keys, Jwks::File("/home/me/wardkeep/corp.json".into()));
    let terms = &issuer.terms;
    assert_eq!((terms.name.as_str(), terms.issuer.as_str()), ("corp", "https://login.example.com/"));
    assert_eq!(terms.audience, "https://tools.example.com/mcp");
    assert_eq!(terms.algorithms, wardkeep_gateway::Algorithm::ALL);
    assert_eq!((terms.groups_claim.as_str(), terms.scope_claim.as_str()), ("groups", "scope"));
    assert_eq!(terms.longest_life.as_secs(), 86_400);
    assert!(terms.groups.is_none() && !terms.writes && !terms.human && !terms.unconfirmed_writes);
    let more = "jwks = \"https://login.example.com/keys\"\naudience = \"api://tools\"\nalgorithms = [\"ES256\"]\n\
                groups = [\"oncall\"]\nwrites = true\nhuman = true\nlongest_life = \"30d\"\n";
    let config = parse(&text(more)).unwrap();
    let terms = &config.issuers[0].terms;
    assert_eq!((terms.audience.as_str(), terms.algorithms.len()), ("api://tools", 1));
    assert_eq!(terms.groups.as_deref(), Some(&["oncall".to_owned()][..]));
    assert!(terms.writes && terms.human && terms.human_claims.is_empty() && !terms.unconfirmed_writes);
    let human = |more: &str| {
        let terms = &parse(&text(&format!("jwks = \"corp.json\"\n{more}"))).unwrap().issuers[0].terms;
        (terms.human, terms.human_claims.clone())
    };
    assert_eq!(human("human = false\n"), (false, vec![]));
    let said = |claim: &str, value: &str| (claim.to_owned(), value.to_owned());
    assert_eq!(human("human = { idtyp = \"user\" }\n"), (true, vec![said("idtyp", "user")]));
    let two = "[callers.oauth.corp.human]\n\"https://example.com/kind\" = \"person\"\namr = \"mfa\"\n";
    assert_eq!(human(two), (true, vec![said("https://example.com/kind", "person"), said("amr", "mfa")]));
    assert!(
        matches!(&config.issuers[0].keys, Jwks::Page(page) if page.to_string() == "https://login.example.com/keys")
    );
}

#[test]
fn a_proxy_is_believed_that_is_named_and_no_other() {
    let text = |more: &str| {
        let digest = Digest::of(b"t");
        format!(
            "format = 1\n[trust]\nroot_sha256 = \"{digest}\"\n[listen]\nhttp = \"0.0.0.0:8080\"\nbehind_proxy = true\n{more}"
        )
    };
    let config = parse(&text("trusted_proxies = [\"10.0.0.1\", \"10.1.0.0/16\", \"2001:db8::/32\"]\n")).unwrap();
    let proxies = config.listen.proxies.unwrap();
    assert_eq!(proxies.trusted, ["10.0.0.1/32", "10.1.0.0/16", "2001:db8::/32"].map(|net| net.parse().unwrap()));
    assert_eq!(proxies.headers, wardkeep_gateway::ForwardedBy::XForwarded);
    let config = parse(&text("trusted_proxies = [\"10.0.0.1\"]\nforwarded_by = \"forwarded\"\n")).unwrap();
    assert_eq!(config.listen.proxies.unwrap().headers, wardkeep_gateway::ForwardedBy::Forwarded);
}

#[test]
fn brakes_are_on_unless_the_file_says_otherwise_and_each_number_can_be_changed() {
    let with = |more: &str| parse(&format!("format = 1\n[trust]\nroot_sha256 = \"{}\"\n{more}", Digest::of(b"t")));
    assert_eq!(with("").unwrap().brakes, BrakeTerms::default());
    assert!(BrakeTerms::default().enabled);
    assert!(!with("[brakes]\nenabled = false\n").unwrap().brakes.enabled);
    let text = "[brakes]\nwindow = \"10s\"\nhold = \"7d\"\ncaller = { denials = 1 }\nplugin = { writes = 1_000_000 }\n";
    let brakes = with(text).unwrap().brakes;
    assert_eq!((brakes.window.as_secs(), brakes.hold.as_secs()), (10, 7 * 86_400), "at the limits");
    assert_eq!((brakes.caller.denials.get(), brakes.plugin.writes.get()), (1, 1_000_000));
    assert_eq!(brakes.caller.writes, BrakeTerms::default().caller.writes, "what is not named stays");
    for beyond in ["window = \"9s\"", "window = \"25h\"", "hold = \"8d\"", "caller = { writes = 0 }"] {
        assert!(with(&format!("[brakes]\n{beyond}\n")).is_err(), "{beyond}");
    }
}

/// What the page for operators shows is what is read here.
#[test]
fn every_piece_of_the_file_that_the_callers_page_shows_is_accepted() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/callers.md");
    let page = fs::read_to_string(page).unwrap();
    let blocks: Vec<_> = page.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(blocks.len() >= 3, "the pieces are gone");
    for block in blocks {
        let text = format!("format = 1\n[trust]\nroot_sha256 = \"{}\"\n{block}", Digest::of(b"t"));
        parse(&text).unwrap_or_else(|faults| panic!("{block}\n{faults}"));
    }
}

#[test]
fn confirmations_are_read_up_to_their_bounds() {
    let root = Digest::of(b"trust");
    let read = |table: &str| {
        parse(&format!("format = 1\n[trust]\nroot_sha256 = \"{root}\"\n{table}")).map(|config| config.confirmation)
    };
    assert_eq!(read("").unwrap(), Confirmation::default());
    let most = "[confirmation]\napprovals = false\ndestructive = \"operator\"\ndeadline = \"7d\"\npending = 10000\npending_per_caller = 10000\n";
    let Confirmation { confirming, limits } = read(most).unwrap();
    assert!(!confirming.approvals && confirming.destructive_by_operator && confirming.client);
    assert_eq!((limits.deadline.as_secs(), limits.all, limits.each), (7 * 24 * 60 * 60, 10_000, 10_000));
    let least = "[confirmation]\ndestructive = \"client\"\ndeadline = \"1s\"\npending = 1\npending_per_caller = 1\n";
    let Confirmation { confirming, limits } = read(least).unwrap();
    assert!(confirming.approvals && !confirming.destructive_by_operator);
    assert_eq!((limits.deadline.as_secs(), limits.all, limits.each), (1, 1, 1));
    for beyond in ["deadline = \"999ms\"", "deadline = \"169h\"", "pending = 10001", "pending_per_caller = 0"] {
        assert!(read(&format!("[confirmation]\n{beyond}\n")).is_err(), "{beyond}");
    }
}
