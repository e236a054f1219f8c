//! The dashboard's templates. They are compiled with those of the hosted pages, by the same rules.

macro_rules! templates {
    ($($name:literal),* $(,)?) => {
        /// Each by its name, `dashboard/….html`.
        pub const TEMPLATES: &[(&str, &str)] = &[$((
            concat!("dashboard/", $name, ".html"),
            include_str!(concat!("../../templates/dashboard/", $name, ".html")),
        )),*];
    };
}

templates! {
    "account",
    "audit",
    "base",
    "card",
    "first_run",
    "home",
    "keys",
    "outside",
    "overview",
    "problem",
    "prove",
    "settings",
    "shell",
    "sign_in",
}
