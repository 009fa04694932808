//! A home whose host finds the tests' own web: their authority, their name server, the loopback network that operator and grants both allow, and
//! credentials in files.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use super::{
    home::{Home, sha256},
    names::Names,
    web::Web,
};

/// The two keys to a private network: what `[egress]` of the operator's file says, and what each grant says.
const PRIVATE: &str = "private = [\"127.0.0.0/8\"]";

/// A web, and a name server that leads to it.
pub struct Outside {
    pub web: Web,
    pub names: Names,
}

impl Outside {
    pub fn new(web: Web) -> Self {
        Self { web, names: Names::start() }
    }

    /// A home that reaches it, with these credentials.
    pub fn home(&self, secrets: &[(&str, &str)]) -> Home {
        let home = Home::new();
        home.write("authority.pem", &self.web.authority);
        let folder = home.path().join("secrets");
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        for (name, value) in secrets {
            home.write(&format!("secrets/{name}"), value);
        }
        // two people have to sign what destroys, and here is one
        let trust = String::from_utf8(home.read("trust.toml")).unwrap();
        home.write("trust.toml", &format!("{trust}\n[thresholds]\ndestructive = 1\n"));
        let root = sha256(&home.read("trust.toml"));
        let more = format!(
            "[sources.file]\ndirectory = \"secrets\"\n[egress]\nca = \"authority.pem\"\n{PRIVATE}\nname_servers = [\"{}\"]\n",
            self.names.address
        );
        home.write("wardkeep.toml", &home.operator_file(&root, &more));
        home
    }

    /// Installs a plugin with the manifest that its README shows, changed where a test has to: who may call, where its web is, and what the
    /// component's digests are.
    pub fn install(&self, home: &Home, name: &str, component: &Path, changes: &[(&str, &str)]) {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins").join(name).join("README.md");
        let page = fs::read_to_string(page).unwrap();
        let shown =
            page.split("```toml\n").find(|block| block.starts_with("format = 1")).expect("a manifest in the page");
        let mut manifest = shown.split("```").next().unwrap().to_owned();
        let inspected = home.json(&["inspect", component.to_str().unwrap()]);
        let contract = inspected["contract_sha256"].as_str().unwrap().to_owned();
        let bytes = fs::read(component).unwrap();
        let zero = "0".repeat(64);
        let here = format!("port = {}\n{PRIVATE}\nmethods = [", self.web.address.port());
        for (was, is) in [
            (format!("\nsha256 = \"{zero}\""), format!("\nsha256 = \"{}\"", sha256(&bytes))),
            (format!("contract_sha256 = \"{zero}\""), format!("contract_sha256 = \"{contract}\"")),
            ("group:engineering".into(), "group:tests".into()),
            ("group:oncall".into(), "group:tests".into()),
            ("methods = [".into(), here),
        ] {
            assert!(manifest.contains(&was) || was.starts_with("group:"), "{was} is not in {manifest}");
            manifest = manifest.replace(&was, &is);
        }
        for (was, is) in changes {
            assert!(manifest.contains(was), "{was} is not in {manifest}");
            manifest = manifest.replace(was, is);
        }
        let folder = home.path().join("plugins").join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{name}.wasm")), bytes).unwrap();
        home.write(&format!("plugins/{name}/manifest.toml"), &manifest);
        home.sign(name);
    }
}
