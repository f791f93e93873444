//! Filters of routes: what each mistake is called, and where it is shown.

use super::check_under;
use super::routes::rule;

/// Places are relative to the filter.
fn filter(text: &str, errors: &[&str], warnings: &[&str]) {
    let body = format!(
        "to:\n- targetRef: {{kind: MeshService, labels: {{app: api}}}}\n  rules:\n  - matches: [{{path: {{type: PathPrefix, value: /a}}}}]\n    default: {{filters: [{text}]}}"
    );
    let place = "spec.to[0].rules[0].default.filters[0]";
    check_under("MeshHTTPRoute", place, &body, errors, warnings);
}

#[test]
fn header_modifiers() {
    let modifier = |text: &str, errors: &[&str], warnings: &[&str]| {
        filter(
            &format!("{{type: RequestHeaderModifier, requestHeaderModifier: {text}}}"),
            errors,
            warnings,
        );
    };
    modifier(
        "{set: [{name: a, value: b}], add: [{name: c, value: d}], remove: [e]}",
        &[],
        &[],
    );
    modifier("{}", &[".requestHeaderModifier [missing-field]"], &[]);
    modifier(
        "{set: [{name: a, value: b}, {name: A, value: c}]}",
        &[".requestHeaderModifier.set[1].name [invalid-value]"],
        &[".requestHeaderModifier.set[1].name [header-case]"],
    );
    modifier(
        "{set: [{name: a, value: b}], remove: [a]}",
        &[".requestHeaderModifier.remove[0].name [invalid-value]"],
        &[],
    );
    modifier(
        "{set: [{name: a, value: \"b\\nc: d\"}]}",
        &[".requestHeaderModifier.set[0].value [invalid-value]"],
        &[],
    );
    modifier(
        "{set: [{name: host, value: b}], remove: [Connection]}",
        &[
            ".requestHeaderModifier.set[0].name [invalid-value]",
            ".requestHeaderModifier.remove[0].name [invalid-value]",
        ],
        &[".requestHeaderModifier.remove[0] [header-case]"],
    );
    modifier(
        "{set: [{name: a}]}",
        &[".requestHeaderModifier.set[0].value [missing-field]"],
        &[],
    );
    let many: Vec<String> = (0..17).map(|number| format!("h{number}")).collect();
    modifier(
        &format!("{{remove: [{}]}}", many.join(", ")),
        &[".requestHeaderModifier.remove [invalid-value]"],
        &[],
    );
}

#[test]
fn redirects_and_rewrites() {
    filter(
        "{type: RequestRedirect, requestRedirect: {scheme: https, statusCode: 301, port: 443}}",
        &[],
        &[],
    );
    filter(
        "{type: RequestRedirect}",
        &[".requestRedirect [missing-field]"],
        &[],
    );
    filter("{type: Lua}", &[".type [invalid-value]"], &[]);
    filter("{}", &[".type [missing-field]"], &[]);
    filter(
        "{type: RequestRedirect, requestRedirect: {scheme: ftp, statusCode: 200, port: 0, hostname: 10.0.0.1}}",
        &[
            ".requestRedirect.hostname [invalid-value]",
            ".requestRedirect.port [invalid-value]",
            ".requestRedirect.scheme [invalid-value]",
            ".requestRedirect.statusCode [invalid-value]",
        ],
        &[],
    );
    let rewrite = |text: &str, errors: &[&str]| {
        filter(
            &format!("{{type: URLRewrite, urlRewrite: {text}}}"),
            errors,
            &[],
        );
    };
    rewrite(
        "{hostname: a.example, path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}",
        &[],
    );
    rewrite("{path: {type: ReplaceFullPath, replaceFullPath: /x}}", &[]);
    rewrite(
        "{path: {type: ReplaceFullPath}}",
        &[".urlRewrite.path.replaceFullPath [missing-field]"],
    );
    rewrite(
        "{path: {type: ReplaceFullPath, replaceFullPath: x}}",
        &[".urlRewrite.path.replaceFullPath [invalid-value]"],
    );
    rewrite(
        "{path: {type: ReplaceFullPath, replaceFullPath: '/x?y'}}",
        &[".urlRewrite.path.replaceFullPath [invalid-value]"],
    );
    rewrite("{path: {}}", &[".urlRewrite.path.type [missing-field]"]);
    rewrite(
        "{hostToBackendHostname: true}",
        &[".urlRewrite.hostToBackendHostname [invalid-value]"],
    );
}

#[test]
fn mirrors_and_pairs() {
    let mirror = |text: &str, errors: &[&str], warnings: &[&str]| {
        filter(
            &format!("{{type: RequestMirror, requestMirror: {text}}}"),
            errors,
            warnings,
        );
    };
    let backend = "backendRef: {kind: MeshService, labels: {app: b}, port: 80}";
    mirror(&format!("{{{backend}}}"), &[], &[]);
    mirror(&format!("{{percentage: \"12.5\", {backend}}}"), &[], &[]);
    mirror(
        &format!("{{percentage: 12.5, {backend}}}"),
        &[],
        &[".requestMirror.percentage [unquoted-fraction]"],
    );
    mirror(
        &format!("{{percentage: 101, {backend}}}"),
        &[".requestMirror.percentage [invalid-value]"],
        &[],
    );
    mirror(
        &format!("{{percentage: many, {backend}}}"),
        &[".requestMirror.percentage [invalid-value]"],
        &[],
    );
    mirror("{}", &[".requestMirror.backendRef [missing-field]"], &[]);
    let again = "{type: URLRewrite, urlRewrite: {hostname: a}}";
    rule(
        "MeshHTTPRoute",
        &format!("{{matches: [{{}}], default: {{filters: [{again}, {again}]}}}}"),
        &[".default.filters[1] [invalid-value]"],
        &[],
    );
    rule(
        "MeshHTTPRoute",
        "{matches: [{path: {type: Exact, value: /a}}], default: {filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /b}}}]}}",
        &[".default.filters[0].urlRewrite.path.replacePrefixMatch [invalid-value]"],
        &[],
    );
}
