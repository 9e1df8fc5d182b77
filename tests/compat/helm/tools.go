//go:build tools

// The program that is the judge is built from the same module.
package helm

import _ "helm.sh/helm/v3/cmd/helm"
