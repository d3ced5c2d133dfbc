// Package arch holds no code. Its tests read the source of every package and fail on an
// import that points the wrong way, on a package that does not say what it is, and on a
// document that leads nowhere.
//
// Knows nothing of ours. Never imports anything of ours.
package arch
