//! A headless Chromium that a story drives through `WebDriver`.
//!
//! One runs at a time: each takes more of the machine than all other stories together. A shell holds the driver and ends it
//! when this process is gone, however that comes about; the browser ends with its driver.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::mpsc::{self, Receiver},
    time::Duration,
};

use fantoccini::{Client, ClientBuilder, Locator, elements::Element, error::CmdError, wd::WebDriverCompatibleCommand};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};
use url::{ParseError, Url};

/// Whoever holds it has the one browser.
static ALONE: Mutex<()> = Mutex::const_new(());

/// Starts the driver on a free port and ends it when standard input does, or when it is at work for so long that it must
/// have lost itself: whoever waits for its answer then gets a fault. Its output ends with it, so that a driver that does
/// not start is noticed.
const HELD: &str =
    "timeout -k 5 300 chromedriver --port=0 & driver=$!; exec >&-; read -r _; kill $driver; wait $driver";

/// What the driver says once it listens.
const LISTENS: &str = "started successfully on port ";

/// How long it may take to say so.
const STARTS_WITHIN: Duration = Duration::from_secs(30);

/// How often it is started. The port that it finds free for one kind of address may be taken for the other.
const STARTS: usize = 3;

/// How long a page may take to become what it is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// The same, in a page.
const PATIENCE_MS: u64 = 30_000;

/// Scripts that wait longer than the page's own patience have lost their page.
const SCRIPT_MS: u64 = 120_000;

/// The zone of whoever looks: never the one that stint tells times in.
const ZONE: &str = "Europe/Berlin";

/// The accessibility checker, where `./dev test` puts it.
const CHECKER: &str = "axe/package/axe.min.js";

/// A browser with one page.
pub struct Browser {
    client: Client,
    downloads: TempDir,
    _driver: Driver,
    _alone: MutexGuard<'static, ()>,
}

/// The driver, for as long as this lives.
struct Driver {
    shell: Child,
    port: u16,
}

/// What only Chromium's driver takes.
#[derive(Debug)]
struct Own {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Own {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.body.to_string()))
    }
}

impl Driver {
    fn starts() -> Self {
        (0..STARTS).find_map(|_| Self::tries()).expect("chromedriver starts, which `./dev test` installs")
    }

    /// `None`: it did not come to listen, and is gone.
    fn tries() -> Option<Self> {
        let mut shell = Command::new("sh");
        shell.args(["-c", HELD]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut shell = shell.spawn().expect("a shell");
        let told = lines(shell.stdout.take().expect("its output"));
        let mut driver = Self { shell, port: 0 };
        while let Ok(line) = told.recv_timeout(STARTS_WITHIN) {
            if let Some((_, port)) = line.split_once(LISTENS) {
                driver.port = port.trim_end().trim_end_matches('.').parse().expect("a port");
                return Some(driver);
            }
        }
        None
    }
}

/// Every line, read to the end, so that whoever writes them never waits for a reader.
fn lines(told: ChildStdout) -> Receiver<String> {
    let (tell, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(told).lines().map_while(Result::ok) {
            let _ = tell.send(line);
        }
    });
    lines
}

impl Drop for Driver {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

fn capabilities(downloads: &Path) -> serde_json::Map<String, Value> {
    let options = json!({
        "args": [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic",
            "--no-proxy-server", "--window-size=1280,900", "--remote-debugging-pipe",
        ],
        "prefs": { "download.default_directory": downloads, "download.prompt_for_download": false },
    });
    let wanted = json!({
        "browserName": "chrome",
        "goog:chromeOptions": options,
        "goog:loggingPrefs": { "browser": "ALL" },
        "timeouts": { "script": SCRIPT_MS },
        // A dialog that nobody expects stays open, and whatever comes next fails.
        "unhandledPromptBehavior": "ignore",
    });
    wanted.as_object().cloned().expect("an object")
}

/// The folder that holds what is built.
fn target() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_stint"));
    program.ancestors().nth(2).expect("a folder").to_owned()
}

/// What finds an element by its hook.
pub fn hook(kind: &str, name: &str) -> String {
    format!("[data-{kind}=\"{name}\"]")
}

impl Browser {
    /// A browser of its own, with nothing in it.
    pub async fn starts() -> Self {
        let alone = ALONE.lock().await;
        let driver = tokio::task::spawn_blocking(Driver::starts).await.expect("a driver");
        let downloads = tempfile::tempdir().expect("a folder");
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities(downloads.path()));
        let client = builder.connect(&format!("http://127.0.0.1:{}", driver.port)).await.expect("a browser");
        let browser = Self { client, downloads, _driver: driver, _alone: alone };
        // Whoever takes one time for the other shall be seen.
        browser.tell("Emulation.setTimezoneOverride", json!({ "timezoneId": ZONE })).await;
        browser
    }

    /// Ends the browser, after it had nothing to complain of: no fault in a script, nothing that the policy forbids.
    pub async fn ends(self) {
        assert_eq!(self.complaints().await, Vec::<String>::new());
        self.client.close().await.expect("closed");
    }

    async fn own(&self, path: &'static str, body: Value) -> Value {
        self.client.issue_cmd(Own { path, body }).await.unwrap_or_else(|fault| panic!("{path}: {fault}"))
    }

    /// Sends a command of the browser's own tools.
    pub async fn tell(&self, command: &str, parameters: Value) -> Value {
        self.own("goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await
    }

    /// What the browser complains of. Answers that are no success are what a story asks for.
    async fn complaints(&self) -> Vec<String> {
        let log = self.own("se/log", json!({ "type": "browser" })).await;
        let entries = log.as_array().expect("a log").iter();
        let of_stories = ["network", "console-api"].map(Value::from);
        let severe = entries.filter(|entry| entry["level"] == "SEVERE" && !of_stories.contains(&entry["source"]));
        severe.map(|entry| entry["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Goes to an address.
    pub async fn goes(&self, address: &str) {
        self.client.goto(address).await.expect("a page");
    }

    /// The address it is at.
    pub async fn address(&self) -> Url {
        self.client.current_url().await.expect("an address")
    }

    /// The element, once it is there.
    pub async fn sees(&self, what: &str) -> Element {
        let found =
            self.client.wait().at_most(PATIENCE).every(Duration::from_millis(20)).for_element(Locator::Css(what));
        match found.await {
            Ok(element) => element,
            Err(fault) => panic!("{what} does not show ({fault}) in:\n{}", self.shown().await),
        }
    }

    /// All that can be read, for whoever wonders why something does not show.
    async fn shown(&self) -> String {
        let address = self.client.current_url().await.map(|url| url.to_string()).unwrap_or_default();
        let text = self.client.execute("return document.body.innerText", vec![]).await.unwrap_or_default();
        format!("{address}\n{}", text.as_str().unwrap_or_default())
    }

    /// Clicks on it, once it is there.
    pub async fn clicks(&self, what: &str) {
        self.on(what, async |element| element.click().await).await;
    }

    /// Its text, once it is there.
    pub async fn reads(&self, what: &str) -> String {
        self.on(what, async |element| element.text().await).await
    }

    /// Does something with it. Where the page draws itself anew at that very moment, with the one that came in its place.
    async fn on<T>(&self, what: &str, act: impl AsyncFn(Element) -> Result<T, CmdError>) -> T {
        for _ in 0..10 {
            match act(self.sees(what).await).await {
                Ok(done) => return done,
                Err(fault) if fault.is_stale_element_reference() => {}
                Err(fault) => panic!("{what}: {fault} in:\n{}", self.shown().await),
            }
        }
        panic!("{what} is drawn anew all the time");
    }

    /// Writes into a field in place of what stood there.
    pub async fn writes(&self, what: &str, text: &str) {
        let field = self.sees(what).await;
        field.clear().await.expect("an empty field");
        field.send_keys(text).await.expect("typed");
    }

    /// Presses keys, wherever the focus is.
    pub async fn presses(&self, keys: impl Into<String>) {
        let focused = self.client.active_element().await.expect("a focus");
        focused.send_keys(&keys.into()).await.expect("pressed");
    }

    /// How many there are now.
    pub async fn counts(&self, what: &str) -> usize {
        self.client.find_all(Locator::Css(what)).await.expect("a count").len()
    }

    /// What a script gives.
    pub async fn runs(&self, script: &str) -> Value {
        self.client.execute(script, vec![]).await.unwrap_or_else(|fault| panic!("{script}: {fault}"))
    }

    /// Waits until that is so in the page.
    pub async fn until(&self, condition: &str) {
        let script = format!(
            "const done = arguments[0], end = performance.now() + {PATIENCE_MS}; \
             const look = () => ({condition}) ? done(true) : performance.now() > end ? done(false) : setTimeout(look, 20); \
             look()"
        );
        let so = self.client.execute_async(&script, vec![]).await;
        let so = so.unwrap_or_else(|fault| panic!("{condition}: {fault}"));
        assert!(so == true, "it never comes to be that {condition} in:\n{}", self.shown().await);
    }

    /// What a script gives that calls `arguments[0]` when it is done.
    pub async fn awaits(&self, script: &str) -> Value {
        self.client.execute_async(script, vec![]).await.unwrap_or_else(|fault| panic!("{script}: {fault}"))
    }

    /// Whether a dialog of a script is open.
    pub async fn is_alerted(&self) -> bool {
        !matches!(self.client.get_alert_text().await, Err(CmdError::Standard(_)))
    }

    /// Shows the page as wide and as light or dark as that.
    pub async fn wears(&self, width: u32, theme: &str) {
        let size = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.tell("Emulation.setDeviceMetricsOverride", size).await;
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": theme }] });
        self.tell("Emulation.setEmulatedMedia", features).await;
    }

    /// Keeps a picture of the page under `target/console/`.
    pub async fn pictures(&self, name: &str) {
        let folder = target().join("console");
        std::fs::create_dir_all(&folder).expect("a folder");
        let picture = self.client.screenshot().await.expect("a picture");
        std::fs::write(folder.join(format!("{name}.png")), picture).expect("a file");
    }

    /// The file whose name ends so, once it is whole.
    pub async fn saves(&self, end: &str) -> PathBuf {
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        let whole = async {
            loop {
                // The browser keeps the name with an empty file, in whose place the whole one comes.
                let files = std::fs::read_dir(self.downloads.path()).expect("a folder").filter_map(Result::ok);
                let is_whole = |file: &std::fs::DirEntry| file.metadata().is_ok_and(|told| told.len() > 0);
                let mut paths = files.filter(is_whole).map(|file| file.path());
                if let Some(path) = paths.find(|path| path.to_string_lossy().ends_with(end)) {
                    return path;
                }
                tick.tick().await;
            }
        };
        tokio::time::timeout(PATIENCE, whole)
            .await
            .unwrap_or_else(|_| panic!("nothing that ends in {end} is ever saved"))
    }

    /// What keeps somebody from using the page, as an accessibility checker sees it: its serious and critical faults.
    pub async fn barriers(&self) -> Vec<String> {
        let checker = target().join(CHECKER);
        let mut script = String::new();
        let opened = std::fs::File::open(&checker).and_then(|mut file| file.read_to_string(&mut script));
        opened.unwrap_or_else(|fault| panic!("{}: {fault}; `./dev test` fetches it", checker.display()));
        self.runs(&script).await;
        let found = self
            .awaits(
                "const done = arguments[0]; axe.run(document, {resultTypes: ['violations']}).then((found) => \
                 done(found.violations.filter((one) => ['serious', 'critical'].includes(one.impact)).map((one) => \
                 `${one.id}: ${one.help}: ${one.nodes.map((node) => node.html).join(' ')}`)), (fault) => done([`${fault}`]))",
            )
            .await;
        found.as_array().expect("a list").iter().map(|one| one.as_str().unwrap_or_default().to_owned()).collect()
    }
}
