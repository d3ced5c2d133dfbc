// Package models is the folder of networks; each is a package of its own, and a plain value. Here
// is only the test that the published ones are what torchvision publishes under their names.
//
// Knows nothing. Never imports anything; its test may.
package models
