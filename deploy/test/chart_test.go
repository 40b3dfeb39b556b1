package deploy_test

import (
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

const chartDir = "../helm/flightlog"

// render is helm template: values against the schema, then the templates.
func render(t *testing.T, values string) (map[string]string, error) {
	t.Helper()
	c, err := loader.Load(chartDir)
	if err != nil {
		t.Fatal(err)
	}
	var given map[string]any
	if err := yaml.Unmarshal([]byte(values), &given); err != nil {
		t.Fatal(err)
	}
	all, err := util.ToRenderValues(c, given, common.ReleaseOptions{Name: "prod", Namespace: "pilots", IsInstall: true, Revision: 1}, nil)
	if err != nil {
		return nil, err
	}
	return engine.Render(c, all)
}

// objects decodes what was rendered into the types of Kubernetes, which refuse
// fields that they do not have.
func objects(t *testing.T, values string) (all []runtime.Object) {
	t.Helper()
	files, err := render(t, values)
	if err != nil {
		t.Fatal(err)
	}
	decoder := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	for name, text := range files {
		for doc := range strings.SplitSeq("\n"+text, "\n---\n") {
			if strings.HasPrefix(name[strings.LastIndex(name, "/")+1:], "_") || strings.TrimSpace(doc) == "" {
				continue
			}
			o, _, err := decoder.Decode([]byte(doc), nil, nil)
			if err != nil {
				t.Errorf("%s: %v\n%s", name, err, doc)
				continue
			}
			all = append(all, o)
		}
	}
	return all
}

// full uses all there is.
const full = `
image: {registry: registry.example.org, tag: v1}
imagePullSecrets: [{name: pull}]
nats: {url: "tls://n1:4222,tls://n2:4222", secret: bus, ca: ca.crt, creds: user.creds}
manager: {replicas: 3, secret: manager, page: {tokenSecret: page, hosts: [pilots.example.org]}}
launchers:
  cluster: {resource: example.cluster, sshSecret: ssh, env: {A: b}, storage: 2Gi, storageClass: fast, resources: {requests: {cpu: 1}}}
  other: {resource: example.other, replicas: 1, secret: other}
nodeSelector: {pool: services}
tolerations: [{key: a, operator: Exists}]
`

// workload is what runs pods.
type workload struct {
	name     string
	meta     metav1.ObjectMeta
	selector *metav1.LabelSelector
	template corev1.PodTemplateSpec
}

func workloads(all []runtime.Object) (ws []workload) {
	for _, o := range all {
		switch o := o.(type) {
		case *appsv1.Deployment:
			ws = append(ws, workload{o.Name, o.ObjectMeta, o.Spec.Selector, o.Spec.Template})
		case *appsv1.StatefulSet:
			ws = append(ws, workload{o.Name, o.ObjectMeta, o.Spec.Selector, o.Spec.Template})
		}
	}
	return ws
}

func TestChartPassesHelmLint(t *testing.T) {
	var values map[string]any
	if err := yaml.Unmarshal([]byte(full), &values); err != nil {
		t.Fatal(err)
	}
	for _, m := range lint.RunAll(chartDir, values, "pilots").Messages {
		if m.Severity >= support.WarningSev {
			t.Errorf("%s: %v", m.Path, m.Err)
		}
	}
}

func TestChartRendersObjectsOfKubernetes(t *testing.T) {
	for values, want := range map[string]int{"": 5, full: 11} {
		if got := len(objects(t, values)); got != want {
			t.Errorf("%d objects are rendered, want %d, of %q", got, want, values)
		}
	}
}

func TestChartRefusesWrongValues(t *testing.T) {
	for _, values := range []string{
		"manager: {replicas: 0}", "manager: {replica: 2}", "nats: {url: n1:4222}", "launchers: {a: {}}",
		"launchers: {a: {resource: cluster}}", "launchers: {A.b: {resource: a.b}}", "nats: {creds: a, nkey: b}", "log: {level: loud}",
	} {
		if _, err := render(t, values); err == nil {
			t.Errorf("%s is taken", values)
		}
	}
}

// TestReadyIsTheLogAndAliveIsNot: a pod whose bus is away serves nothing, and
// is not restarted for it.
func TestReadyIsTheLogAndAliveIsNot(t *testing.T) {
	ws := workloads(objects(t, full))
	if len(ws) != 3 {
		t.Fatalf("%d workloads", len(ws))
	}
	for _, w := range ws {
		c := w.template.Spec.Containers[0]
		if c.ReadinessProbe.HTTPGet.Path != "/readyz" || c.LivenessProbe.HTTPGet.Path != "/healthz" {
			t.Errorf("%s is ready by %s and alive by %s", w.name, c.ReadinessProbe.HTTPGet.Path, c.LivenessProbe.HTTPGet.Path)
		}
		// What the probes wait for an answer must outlast what ops takes: 1 s and 5 s.
		if c.ReadinessProbe.TimeoutSeconds < 2 || c.LivenessProbe.TimeoutSeconds < 6 {
			t.Errorf("%s: its probes are not patient enough", w.name)
		}
	}
}

func TestPodsMayDoNothing(t *testing.T) {
	for _, w := range workloads(objects(t, full)) {
		pod, c := w.template.Spec.SecurityContext, w.template.Spec.Containers[0].SecurityContext
		if !*pod.RunAsNonRoot || pod.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault || *c.AllowPrivilegeEscalation ||
			!*c.ReadOnlyRootFilesystem || !slices.Contains(c.Capabilities.Drop, "ALL") || *w.template.Spec.AutomountServiceAccountToken {
			t.Errorf("%s may more than it needs: %+v, %+v", w.name, pod, c)
		}
	}
}

// TestLabelsSayKindsOnly: each value of a label is a series in somebody's
// monitoring, so that ids have no place there.
func TestLabelsSayKindsOnly(t *testing.T) {
	known := []string{
		"app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component", "app.kubernetes.io/version",
		"app.kubernetes.io/managed-by", "helm.sh/chart",
	}
	for _, o := range objects(t, full) {
		m := o.(metav1.Object)
		sets := []map[string]string{m.GetLabels()}
		for _, w := range workloads([]runtime.Object{o}) {
			sets = append(sets, w.template.Labels)
		}
		for _, set := range sets {
			for key := range set {
				if !slices.Contains(known, key) {
					t.Errorf("%s has label %s", m.GetName(), key)
				}
			}
			if len(set) != len(known) {
				t.Errorf("%s has labels %v", m.GetName(), set)
			}
		}
	}
}

// TestDisruptionsTakeOneAtATime: each workload has a budget that selects its
// pods and no others.
func TestDisruptionsTakeOneAtATime(t *testing.T) {
	all := objects(t, full)
	ws := workloads(all)
	for _, w := range ws {
		budgets := 0
		for _, o := range all {
			b, ok := o.(*policyv1.PodDisruptionBudget)
			if !ok {
				continue
			}
			selector, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
			if err != nil {
				t.Fatal(err)
			}
			if selector.Matches(labels.Set(w.template.Labels)) {
				budgets++
				if b.Spec.MaxUnavailable.IntValue() != 1 {
					t.Errorf("%s may lose %v at once", w.name, b.Spec.MaxUnavailable)
				}
			}
		}
		if budgets != 1 {
			t.Errorf("%s has %d budgets", w.name, budgets)
		}
	}
}

// TestChartWritesAConfigurationThatHolds has the service read it.
func TestChartWritesAConfigurationThatHolds(t *testing.T) {
	for _, values := range []string{"", full} {
		for _, o := range objects(t, values) {
			if c, ok := o.(*corev1.ConfigMap); ok {
				checkConfig(t, c.Data["config.yaml"])
			}
		}
	}
}
