//! An authority, and what it signs, in the files of a folder that is there for one test.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};

use crate::config::CertificateFiles;

/// See the module.
pub(crate) struct Pki {
    folder: tempfile::TempDir,
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl Pki {
    /// A new authority, whose certificate is in `ca.pem`.
    pub(crate) fn new() -> Pki {
        let folder = tempfile::tempdir().expect("it can be made");
        let mut params = CertificateParams::new(Vec::new()).expect("it can be made");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // No two have one name.
        let name = folder.path().display().to_string();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("it can be made");
        let authority = CertifiedIssuer::self_signed(params, key).expect("it can be made");
        std::fs::write(folder.path().join("ca.pem"), authority.pem()).expect("it can be made");
        Pki { folder, authority }
    }

    /// The authority's certificate.
    pub(crate) fn ca(&self) -> PathBuf {
        self.path("ca.pem")
    }

    /// Where `name` is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A certificate for `names`, in `NAME.pem` with its key in `NAME.key`.
    pub(crate) fn server(&self, name: &str, names: &[&str]) -> CertificateFiles {
        self.sign(name, names, |_| {})
    }

    /// The same, with `change` made to it.
    pub(crate) fn sign(
        &self,
        name: &str,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> CertificateFiles {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("it can be made");
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        change(&mut params);
        let key = KeyPair::generate().expect("it can be made");
        let certificate = params.signed_by(&key, &self.authority).expect("it can be made");
        let files = CertificateFiles {
            chain: self.path(&format!("{name}.pem")),
            key: self.path(&format!("{name}.key")),
        };
        write(&files.chain, &certificate.pem());
        write(&files.key, &key.serialize_pem());
        files
    }
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).expect("it can be made");
}
