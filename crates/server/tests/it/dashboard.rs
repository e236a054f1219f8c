//! The dashboard at the HTTP level: the ways in and out, who may do what, and what each page does.

mod desk;
mod entering;
mod first_run;
mod forms;
mod pages;
mod rights;
