//! An API that several teams use, with a stand-in for its cluster.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use penstock_objectstore::testing::seaweed::{self, S3Server};
use rustix::process::Signal;
use serde_json::json;

use crate::deadline::wait_until;
use crate::invocation::{Background, Invocation};
use crate::sandbox::Sandbox;
use crate::server::free_address;

/// Longest time until an API answers.
const START_LIMIT: Duration = Duration::from_secs(60);

/// An API for several teams, whose cluster is a stand-in at a port that nobody need listen to yet; over a database, or the
/// file that it has otherwise.
pub fn apiserver(
    sandbox: &Sandbox,
    store: &S3Server,
    [cluster, api]: [SocketAddr; 2],
    database: Option<&str>,
    limit: Duration,
) -> Background {
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c", "users": [{"name": "u", "user": {}}],
        "clusters": [{"name": "c", "cluster": {"server": format!("http://{cluster}")}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": "penstock-system"}}],
    });
    let kubeconfig = sandbox.write("kubeconfig", kubeconfig.to_string());
    let penstock = database.iter().fold(sandbox.penstock(), |penstock, url| penstock.env("PENSTOCK_DATABASE_URL", url));
    let mut process = penstock
        .args(["apiserver", "--multi-user", "--auth", "token-review,header", "--admin-listen", "127.0.0.1:0"])
        .args(["--api-listen", &api.to_string()])
        .arg("--kubeconfig")
        .arg(kubeconfig)
        .env("PENSTOCK_S3_ENDPOINT", store.endpoint())
        .env("AWS_ACCESS_KEY_ID", seaweed::ACCESS_KEY)
        .env("AWS_SECRET_ACCESS_KEY", seaweed::SECRET_KEY)
        .limit(limit)
        .spawn();
    wait_until("the API to listen", START_LIMIT, || {
        assert!(process.is_running(), "it has ended");
        TcpStream::connect(api).is_ok()
    });
    process
}

/// An API with teams: `ann` may edit in `team-a`, `bob` in `team-b`, `olga` what all share.
#[derive(Debug)]
#[must_use]
pub struct Teams {
    cluster: Background,
    api: Background,
    address: SocketAddr,
}

impl Teams {
    /// Starts it, over a bucket `users` that is there.
    pub fn start(python: &Path, sandbox: &Sandbox, store: &S3Server, limit: Duration) -> Teams {
        let (at, address) = (free_address(), free_address());
        let mut cluster = Invocation::new(python)
            .environment(&sandbox.path("home"), &sandbox.data_dir())
            .env("PENSTOCK_TEST_CLUSTER_PORT", at.port().to_string())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("client/teams.py"))
            .limit(limit)
            .spawn();
        wait_until("the stand-in to listen", START_LIMIT, || {
            assert!(cluster.is_running(), "it has ended");
            TcpStream::connect(at).is_ok()
        });
        Teams { cluster, api: apiserver(sandbox, store, [at, address], None, limit), address }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// An invocation by somebody against it.
    pub fn by(&self, sandbox: &Sandbox, user: &str) -> Invocation {
        let penstock = sandbox.penstock().env("PENSTOCK_DATA_DIR", sandbox.path("nothing"));
        penstock.env("PENSTOCK_SERVER", self.url()).env("PENSTOCK_TOKEN", Teams::token(user))
    }

    /// The token of somebody.
    pub fn token(user: &str) -> String {
        format!("token-of-{user}")
    }

    /// Ends it.
    pub fn stop(self) {
        self.api.signal(Signal::TERM);
        self.api.wait().expect_code(0);
        self.cluster.kill_now();
    }
}
