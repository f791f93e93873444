//! The table of codes: one row for every kind of finding.
//!
//! Never gives a code a second meaning. A new one needs a constant and a row here, a page in `compiler/codes/`, and a case
//! in `tests/cases/`.

use super::{Code, Severity};

/// What is known of a code.
#[derive(Debug)]
pub struct CodeInfo {
    /// The code.
    pub code: Code,
    /// Of a finding with this code, where nothing else is said.
    pub severity: Severity,
    /// What it is about, in a few words.
    pub title: &'static str,
    /// What has to be known for it.
    pub scope: Scope,
    /// What `meshc explain` prints.
    pub page: &'static str,
}

/// How much has to be known for a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The document that it is in.
    Document,
    /// The rest of the repository: a warning where documents are judged on their own.
    Repository,
    /// What the repository was before: `meshc diff` finds it.
    Change,
    /// What the repository is meant to do: `meshc test` finds it.
    Intent,
}

macro_rules! codes {
    ($($name:ident $code:literal $severity:ident $scope:ident $title:literal;)+) => {
        impl Code {
            $(#[doc = $title] pub const $name: Self = Self($code);)+
        }

        /// Sorted by name.
        const TABLE: &[CodeInfo] = &[$(CodeInfo {
            code: Code::$name,
            severity: Severity::$severity,
            title: $title,
            scope: codes!($scope),
            page: include_str!(concat!("../../codes/", $code, ".md")),
        },)+];
    };
    (document) => { Scope::Document };
    (repository) => { Scope::Repository };
    (change) => { Scope::Change };
    (intent) => { Scope::Intent };
}

codes! {
    AMBIGUOUS_REF "ambiguous-ref" Error repository "a reference that more than one thing fits";
    CONFLICTING_HOSTNAMES "conflicting-hostnames" Warning repository "two services with one hostname";
    DANGLING_REF "dangling-ref" Error repository "a reference to something that does not exist";
    DENIES_ALL "denies-all" Warning repository "an inbound that nobody may call";
    DUPLICATE_KEY "duplicate-key" Error document "a key that is set twice in one mapping";
    DUPLICATE_RESOURCE "duplicate-resource" Error document "two documents for one resource";
    EQUAL_PRECEDENCE "equal-precedence" Warning repository "policies told apart by their names only";
    EXCEEDS_LIMIT "exceeds-limit" Error document "more than the compiler takes";
    EXPIRING_TRUST "expiring-trust" Warning document "a certificate that ends soon";
    FAILED_TEST "failed-test" Error intent "a test that does not hold";
    FORWARDS_TO_ITSELF "forwards-to-itself" Warning document "a listener where the workload should be";
    GATE_EXTERNAL "gate-external" Error change "a change that opens a destination outside of the mesh";
    GATE_OWNERS "gate-owners" Error change "a change that affects what its owners may not";
    GATE_PROXIES "gate-proxies" Error change "a change of too many proxies";
    GATE_REMOVAL "gate-removal" Error change "a change that takes too many edges away";
    HEADER_CASE "header-case" Warning document "a header name that is not in lower case";
    IDENTITY_VARIABLE "identity-variable" Error document "an identity that cannot be made";
    INLINE_SECRET "inline-secret" Warning document "a private key in the repository";
    INVALID_LABEL "invalid-label" Error document "a label that is no label";
    INVALID_NAME "invalid-name" Error document "a name that is no name";
    INVALID_REGEX "invalid-regex" Error document "an expression that cannot be used";
    INVALID_SUPPRESSION "invalid-suppression" Warning document "a comment that suppresses nothing";
    INVALID_TEMPLATE "invalid-template" Error document "a template that makes no name";
    INVALID_VALUE "invalid-value" Error document "a value outside of what is allowed";
    LEGACY "legacy" Error document "a form of an older version of the language";
    MISSING_FIELD "missing-field" Error document "a field that must be set";
    MIXED_ENVELOPE "mixed-envelope" Error document "a document in both formats at once";
    MIXED_ROLES "mixed-roles" Error document "producer and consumer items in one policy";
    NEEDED_ANCHOR "needed-anchor" Error change "a change that takes an authority from proxies that need it";
    NO_EFFECT "no-effect" Warning document "something that does nothing";
    NOT_A_FILE "not-a-file" Error document "a link, a pipe or a device where a document could be";
    NOT_IMPLEMENTED "not-implemented" Warning document "something that this version does not do yet";
    NOT_TEXT "not-text" Error document "bytes that are not text";
    PERMISSION_WITHOUT_IDENTITY "permission-without-identity" Warning repository "a permission for proxies without identity";
    PERMISSIVE_PERMISSION "permissive-permission" Warning repository "a permission that plaintext goes around";
    PORT_CLASH "port-clash" Error document "two listeners on one address and port";
    PREFIX_BOUNDARY "prefix-boundary" Warning document "a prefix that ends inside of a segment";
    PROTOCOL_MISMATCH "protocol-mismatch" Warning repository "two ends that speak differently";
    READ_ONLY_FIELD "read-only-field" Warning document "a field that only the mesh sets";
    RESERVED_LABEL "reserved-label" Error document "a label that the compiler computes";
    SELECTS_EVERYTHING "selects-everything" Warning document "a selector without labels";
    SELECTS_NOTHING "selects-nothing" Warning repository "a selector that selects nothing";
    SELF_SIGNED "self-signed" Error document "a self-signed CA that nobody allowed";
    SHADOWED_RULE "shadowed-rule" Warning document "a rule that never decides";
    UNEQUAL_WORKLOAD "unequal-workload" Warning repository "instances of one workload that differ";
    UNKNOWN_FIELD "unknown-field" Error document "a field that does not exist";
    UNKNOWN_KIND "unknown-kind" Error document "a kind that does not exist";
    UNKNOWN_MESH "unknown-mesh" Error repository "a mesh that no document declares";
    UNNOTICED_CHANGE "unnoticed-change" Warning intent "a rule that can change without a test that fails";
    UNQUOTED_FRACTION "unquoted-fraction" Warning document "a fraction without quotes";
    UNREADABLE_FILE "unreadable-file" Error document "a file that cannot be read";
    UNSAFE_RETRY "unsafe-retry" Warning repository "a retry that may do something twice";
    UNSUPPORTED "unsupported" Error document "something that this version cannot do";
    UNSUPPORTED_YAML "unsupported-yaml" Error document "a feature of YAML that is not part of this language";
    UNTESTED_RULE "untested-rule" Warning intent "a rule that no test touches";
    UNTRUSTED_IDENTITY "untrusted-identity" Warning repository "an identity that nobody believes";
    UNUSABLE_HOSTNAME "unusable-hostname" Warning repository "a template that makes no hostname";
    UNUSED_RESOURCE "unused-resource" Warning repository "something that nothing uses";
    UNUSED_SUPPRESSION "unused-suppression" Warning document "a suppression of what is not there";
    VIP_COLLISION "vip-collision" Warning repository "two services that want one virtual IP";
    WEIGHT_SUM "weight-sum" Error document "weights that add up to too much";
    WITHOUT_IDENTITY "without-identity" Warning repository "something that needs an identity, where nobody has one";
    WRONG_NAMESPACE "wrong-namespace" Error document "a namespace in which a kind cannot live";
    WRONG_SCOPE "wrong-scope" Error document "a mesh or namespace for a kind that has none";
    WRONG_TYPE "wrong-type" Error document "a value of another type";
    YAML_SYNTAX "yaml-syntax" Error document "text that is not YAML";
}

/// Every code, sorted by name.
#[must_use]
pub fn codes() -> &'static [CodeInfo] {
    TABLE
}

impl Scope {
    /// As programs read it: `repository`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Document => "document",
            Self::Repository => "repository",
            Self::Change => "change",
            Self::Intent => "intent",
        }
    }
}

impl Code {
    /// What is known of this code.
    #[must_use]
    pub fn info(self) -> Option<&'static CodeInfo> {
        TABLE.iter().find(|info| info.code == self)
    }

    /// Must the rest of the repository be known for it?
    pub(crate) fn needs_repository(self) -> bool {
        self.info()
            .is_some_and(|info| info.scope == Scope::Repository)
    }

    /// Does `meshc check` look for it?
    pub(crate) fn is_checked(self) -> bool {
        self.info()
            .is_none_or(|info| !matches!(info.scope, Scope::Change | Scope::Intent))
    }

    /// The severity of a finding with this code, where nothing else is said.
    #[must_use]
    pub fn severity(self) -> Severity {
        self.info().map_or(Severity::Error, |info| info.severity)
    }
}
