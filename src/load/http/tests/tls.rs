//! TLS: trust, names, client certificates, and what ALPN agrees on.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use hyper::Version;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;

use super::servers::{Log, Speaks, raw, shop};
use super::*;

/// An authority and what it signed, as files and in memory.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    dir: TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let name = &mut params.distinguished_name;
        name.push(DnType::CommonName, "an authority");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, dir }
    }

    fn ca(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    fn signed(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    /// A client certificate and its key, as files.
    fn client(&self) -> (PathBuf, PathBuf) {
        let (cert, key) = self.signed("client");
        let paths = (
            self.dir.path().join("cert.pem"),
            self.dir.path().join("key.pem"),
        );
        std::fs::write(&paths.0, cert.pem()).unwrap();
        std::fs::write(&paths.1, key.serialize_pem()).unwrap();
        paths
    }

    fn acceptor(&self, name: &str, alpn: &[&str], ask_client: bool) -> TlsAcceptor {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        // TLS 1.2 tells a client without a certificate within the handshake; 1.3 only afterwards.
        let versions: &[_] = if ask_client {
            &[&rustls::version::TLS12]
        } else {
            rustls::ALL_VERSIONS
        };
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .unwrap();
        let builder = if ask_client {
            let mut roots = RootCertStore::empty();
            roots.add(self.issuer.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let (cert, key) = self.signed(name);
        let mut config = builder
            .with_single_cert(vec![cert.der().clone()], private(&key))
            .unwrap();
        config.alpn_protocols = alpn.iter().map(|p| p.as_bytes().to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }

    async fn shop(&self, alpn: &[&str], ask_client: bool) -> (String, Rc<Log>) {
        let acceptor = self.acceptor("localhost", alpn, ask_client);
        let (port, log) = shop(Speaks::Either, Some(acceptor)).await;
        (format!("https://localhost:{port}"), log)
    }
}

fn private(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivateKeyDer::try_from(key.serialize_der()).unwrap()
}

/// A server that shows exactly this certificate.
async fn showing(cert: &rcgen::Certificate, key: &KeyPair) -> (String, Rc<Log>) {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], private(key))
        .unwrap();
    let (port, log) = shop(Speaks::Either, Some(TlsAcceptor::from(Arc::new(config)))).await;
    (format!("https://localhost:{port}"), log)
}

/// What `openssl req -x509` makes: signed by itself, and marked as an authority.
fn self_signed(change: impl FnOnce(&mut CertificateParams)) -> (rcgen::Certificate, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    change(&mut params);
    (params.self_signed(&key).unwrap(), key)
}

fn over_tls(target: &str, http: HttpVersion, tls: Tls, share: Option<u32>) -> Rc<Transport> {
    let scenario = Scenario {
        http,
        tls,
        ..scenario(target)
    };
    let plan = TransportPlan::compile(&scenario, &[]).unwrap();
    Transport::new(plan, Clock::start(), share, share.is_none())
}

#[test]
fn an_own_authority_is_trusted_and_the_handshake_is_timed() {
    on_a_worker(async {
        let authority = Authority::new();
        let (target, log) = authority.shop(&[], false).await;
        let tls = Tls {
            ca: Some(authority.ca()),
            ..Tls::default()
        };
        let transport = over_tls(&target, HttpVersion::Auto, tls, None);
        let mut lane = transport.lane();
        let first = lane.send(get("/a"), LIMITS).await;
        assert!(first.tls > 0 && first.connect > 0);
        assert_eq!(answer(first).body, "/a");
        let second = lane.send(get("/a"), LIMITS).await;
        assert_eq!((second.tls, second.connect), (0, 0));
        answer(second);
        assert_eq!(log.requests.borrow()[0].version, Version::HTTP_11);
        assert_eq!(log.connections.get(), 1);
    });
}

#[test]
fn a_certificate_of_another_authority_or_for_another_name_is_refused_unless_insecure() {
    on_a_worker(async {
        let authority = Authority::new();
        let (target, log) = authority.shop(&[], false).await;
        let trusted = Tls {
            ca: Some(authority.ca()),
            ..Tls::default()
        };
        for tls in [
            Tls::default(),
            Tls {
                ca: Some(Authority::new().ca()),
                ..Tls::default()
            },
            Tls {
                server_name: Some("other.example".into()),
                ..trusted.clone()
            },
        ] {
            // The authority's file may be gone by now; the plan has read it.
            let transport = over_tls(&target, HttpVersion::Auto, tls, None);
            let exchange = transport.lane().send(get("/"), LIMITS).await;
            assert_eq!(exchange.sent, None);
            let said = failure(exchange, ErrorKind::Tls);
            assert!(said.detail.contains("certificate"), "{}", said.detail);
        }
        assert_eq!(log.count(), 0);
        let by_address = target.replace("localhost", "127.0.0.1");
        let named = Tls {
            server_name: Some("localhost".into()),
            ..trusted
        };
        let insecure = Tls {
            insecure: true,
            ..Tls::default()
        };
        for tls in [named, insecure] {
            let transport = over_tls(&by_address, HttpVersion::Auto, tls, None);
            answer(transport.lane().send(get("/"), LIMITS).await);
        }
    });
}

#[test]
fn a_server_that_signs_for_itself_is_trusted_by_the_very_certificate_in_the_ca_file() {
    on_a_worker(async {
        let dir = tempfile::tempdir().unwrap();
        let ca = dir.path().join("own.pem");
        let trusting = |pem: String| {
            std::fs::write(&ca, pem).unwrap();
            Tls {
                ca: Some(ca.clone()),
                ..Tls::default()
            }
        };
        let (cert, key) = self_signed(|_| {});
        let authority = Authority::new();
        let (leaf, leaf_key) = authority.signed("localhost");
        for (cert, key) in [(&cert, &key), (&leaf, &leaf_key)] {
            let (target, _) = showing(cert, key).await;
            // Others in the file do no harm.
            let tls = trusting(self_signed(|_| {}).0.pem() + &cert.pem());
            let transport = over_tls(&target, HttpVersion::Auto, tls, None);
            assert_eq!(
                answer(transport.lane().send(get("/a"), LIMITS).await).body,
                "/a"
            );
        }

        let (target, log) = showing(&cert, &key).await;
        // The same names, another key.
        let twin = self_signed(|_| {}).0;
        for (pem, name, why) in [
            (cert.pem(), "other.example", "not valid for name"),
            (twin.pem(), "localhost", "CaUsedAsEndEntity"),
        ] {
            let tls = Tls {
                server_name: Some(name.into()),
                ..trusting(pem)
            };
            let transport = over_tls(&target, HttpVersion::Auto, tls, None);
            let said = failure(
                transport.lane().send(get("/"), LIMITS).await,
                ErrorKind::Tls,
            );
            assert!(said.detail.contains(why), "{}", said.detail);
        }
        let years = [(2000, 2001, "expired"), (4000, 4001, "not valid yet")];
        for (from, to, why) in years {
            let (cert, key) = self_signed(|params| {
                params.not_before = rcgen::date_time_ymd(from, 1, 1);
                params.not_after = rcgen::date_time_ymd(to, 1, 1);
            });
            let (target, _) = showing(&cert, &key).await;
            let transport = over_tls(&target, HttpVersion::Auto, trusting(cert.pem()), None);
            let said = failure(
                transport.lane().send(get("/"), LIMITS).await,
                ErrorKind::Tls,
            );
            assert!(said.detail.contains(why), "{}", said.detail);
        }
        assert_eq!(log.count(), 0);
    });
}

#[test]
fn a_client_certificate_is_shown_where_the_server_asks_for_one() {
    on_a_worker(async {
        let authority = Authority::new();
        let (target, log) = authority.shop(&[], true).await;
        let without = Tls {
            ca: Some(authority.ca()),
            ..Tls::default()
        };
        let (cert, key) = authority.client();
        let with = Tls {
            cert: Some(cert),
            key: Some(key),
            ..without.clone()
        };
        let transport = over_tls(&target, HttpVersion::Auto, without, None);
        failure(
            transport.lane().send(get("/"), LIMITS).await,
            ErrorKind::Tls,
        );
        let transport = over_tls(&target, HttpVersion::Auto, with, None);
        answer(transport.lane().send(get("/"), LIMITS).await);
        assert_eq!(log.count(), 1);
    });
}

#[test]
fn alpn_decides_and_lanes_that_start_together_find_out_once() {
    on_a_worker(async {
        let authority = Authority::new();
        let tls = Tls {
            ca: Some(authority.ca()),
            ..Tls::default()
        };
        let (target, log) = authority.shop(&["h2", "http/1.1"], false).await;
        let transport = over_tls(&target, HttpVersion::Auto, tls.clone(), None);
        let lanes: Vec<_> = (0..50)
            .map(|_| {
                let mut lane = transport.lane();
                tokio::task::spawn_local(async move { lane.send(get("/"), LIMITS).await })
            })
            .collect();
        for lane in lanes {
            answer(lane.await.unwrap());
        }
        assert_eq!((log.count(), log.connections.get()), (50, 1));
        assert_eq!(log.requests.borrow()[0].version, Version::HTTP_2);

        let only_one = over_tls(&target, HttpVersion::Http1, tls.clone(), None);
        answer(only_one.lane().send(get("/"), LIMITS).await);
        assert_eq!(log.requests.borrow()[50].version, Version::HTTP_11);

        let (old, log) = authority.shop(&["http/1.1"], false).await;
        let pooled = over_tls(&old, HttpVersion::Auto, tls.clone(), Some(2));
        let mut lane = pooled.lane();
        for _ in 0..2 {
            answer(lane.send(get("/"), LIMITS).await);
        }
        assert_eq!((log.connections.get(), pooled.open()), (1, 1));
        assert_eq!(log.requests.borrow()[0].version, Version::HTTP_11);
        let only_two = over_tls(&old, HttpVersion::Http2, tls, None);
        assert!(only_two.lane().send(get("/"), LIMITS).await.result.is_err());
    });
}

#[test]
fn a_server_that_never_shakes_hands_runs_into_the_connect_timeout() {
    on_a_worker(async {
        let (port, _) = raw(|_, stream| async move {
            std::future::pending::<()>().await;
            drop(stream);
        })
        .await;
        let transport = over_tls(
            &format!("https://127.0.0.1:{port}"),
            HttpVersion::Auto,
            Tls::default(),
            None,
        );
        let limits = Limits {
            connect_timeout: SHORT.timeout,
            ..LIMITS
        };
        let exchange = transport.lane().send(get("/"), limits).await;
        assert!(exchange.tls > 0 && exchange.sent.is_none());
        failure(exchange, ErrorKind::ConnectTimeout);
        let (port, _) = raw(|_, stream| async move { drop(stream) }).await;
        let transport = over_tls(
            &format!("https://127.0.0.1:{port}"),
            HttpVersion::Auto,
            Tls::default(),
            None,
        );
        failure(
            transport.lane().send(get("/"), LIMITS).await,
            ErrorKind::Tls,
        );
    });
}
