//! The dashboard's own files: its style, its script, and what is taken from others (`static/vendor`, with licences).

use crate::hosted::assets::{Asset, SCRIPT, STYLE};

/// All there are.
pub const ALL: &[Asset] = &[
    Asset {
        path: "/dashboard/assets/dashboard.css",
        kind: STYLE,
        text: include_str!("../../static/dashboard.css"),
        open: false,
    },
    Asset {
        path: "/dashboard/assets/dashboard.js",
        kind: SCRIPT,
        text: include_str!("../../static/dashboard.js"),
        open: false,
    },
    Asset {
        path: "/dashboard/assets/htmx.js",
        kind: SCRIPT,
        text: include_str!("../../static/vendor/htmx.min.js"),
        open: false,
    },
    Asset {
        path: "/dashboard/assets/uplot.js",
        kind: SCRIPT,
        text: include_str!("../../static/vendor/uplot.min.js"),
        open: false,
    },
    Asset {
        path: "/dashboard/assets/uplot.css",
        kind: STYLE,
        text: include_str!("../../static/vendor/uplot.min.css"),
        open: false,
    },
    Asset {
        path: "/dashboard/assets/LICENSES.txt",
        kind: "text/plain; charset=utf-8",
        text: include_str!("../../static/vendor/LICENSES.txt"),
        open: false,
    },
];
