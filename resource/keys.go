package resource

// kind is what a key's value must be.
type kind uint8

const (
	anything    kind = iota // kept as it is
	text                    // a string of one line
	prose                   // a string
	count                   // a whole number, or a string of one as in 2015
	truth                   // true or false, or a string of one as in 2015
	span                    // a runtime, see pilot.ParseRuntime
	texts                   // a list of strings
	counts                  // a list of whole numbers
	group                   // an object, whose keys may have kinds too
	textOrGroup             // a name, or an object in place
	endpoint                // a URL for ParseEndpoint
)

// isText says that an empty string is a value.
func (k kind) isText() bool {
	return k == text || k == prose || k == textOrGroup || k == anything
}

// kindNames end the sentence "must be …".
var kindNames = [...]string{
	anything: "anything", text: "a string of one line", prose: "a string",
	count: "a whole number from 0 to 16777216", truth: "true or false",
	span: "a runtime: minutes (90), 1h30m or 01:30:00", texts: "a list of strings",
	counts: "a list of whole numbers", group: "an object",
	textOrGroup: "a string or an object", endpoint: "a URL: <system>[+<transport>]://<host>[:<port>]/[?<options>]",
}

// key is what is known of a key.
type key struct {
	kind   kind
	unused string         // why nothing here reads it; empty: it has a field in Config
	of     map[string]key // of the object's keys; nil: not known
}

// Reasons for carrying a key that nothing reads.
const (
	forTasks  = "about tasks inside a pilot; Flightlog runs the pilot's payload only"
	forAgent  = "about RADICAL-Pilot's agent; Flightlog's has no such part"
	forPython = "about installing RADICAL-Pilot's agent; Flightlog's is one static binary"
	forMongo  = "about reaching RADICAL-Pilot's database; agents here speak NATS"
	asStaged  = "about staging for RADICAL-Pilot's agent; nothing is downloaded on a node here"
	forSAGA   = "about RADICAL-SAGA, which Flightlog does without"
	forNobody = "about what RADICAL-Pilot tests; whoever names the resource gets it"
)

// keys are those of a resource, and of its access schemas, which may say all
// that a resource says. Sources: RADICAL-Pilot's files of v0.35 and v1.103, its
// list of typed defaults (resource_config.py), and what the files of other
// years have besides; max_runtime, default_project, policy, agent and agent_dir are ours.
var keys = map[string]key{
	"description":            {kind: prose},
	"notes":                  {kind: prose},
	"job_manager_endpoint":   {kind: endpoint},
	"job_manager_hop":        {kind: endpoint},
	"filesystem_endpoint":    {kind: endpoint},
	"default_queue":          {kind: text},
	"default_project":        {kind: text},
	"default_remote_workdir": {kind: text},
	"mandatory_args":         {kind: texts},
	"valid_roots":            {kind: texts},
	"max_runtime":            {kind: span},
	"cores_per_node":         {kind: count},
	"gpus_per_node":          {kind: count},
	"mem_per_node":           {kind: count},
	"lfs_path_per_node":      {kind: text},
	"lfs_size_per_node":      {kind: count},
	"system_architecture":    {kind: group, of: architecture},
	"policy":                 {kind: group, of: policy},
	"resource_manager":       {kind: text},
	"spmd_variation":         {kind: text},
	"pre_bootstrap":          {kind: texts},
	"pre_bootstrap_0":        {kind: texts},
	"pre_bootstrap_1":        {kind: texts},
	"pre_bootstrap_2":        {kind: texts},
	"agent":                  {kind: text},
	"agent_dir":              {kind: text},

	"agent_config":            {kind: textOrGroup, unused: forAgent},
	"agent_type":              {kind: text, unused: forAgent},
	"agent_scheduler":         {kind: text, unused: forTasks},
	"agent_spawner":           {kind: text, unused: forTasks},
	"task_launch_method":      {kind: text, unused: forTasks},
	"mpi_launch_method":       {kind: text, unused: forTasks},
	"launch_methods":          {kind: group, unused: forTasks, of: map[string]key{"order": {kind: texts}}},
	"task_pre_launch":         {kind: texts, unused: forTasks},
	"task_pre_exec":           {kind: texts, unused: forTasks},
	"task_post_launch":        {kind: texts, unused: forTasks},
	"task_post_exec":          {kind: texts, unused: forTasks},
	"task_tmp":                {kind: text, unused: forTasks},
	"task_launch_mode":        {unused: forTasks}, // 2013
	"agent_launch_method":     {unused: forAgent}, // this and the following: 2016 to 2021
	"cu_tmp":                  {unused: forTasks},
	"cu_pre_exec":             {unused: forTasks},
	"cu_post_exec":            {unused: forTasks},
	"export_to_cu":            {unused: forTasks},
	"sockets_per_node":        {unused: forTasks},
	"lfs_per_node":            {unused: forTasks},
	"shared_filesystem":       {unused: forAgent},
	"pilot_agent_options":     {unused: forAgent},
	"saga_jd_supplement":      {unused: forSAGA},
	"enabled":                 {unused: forNobody},
	"health_check":            {unused: forNobody},
	"raptor":                  {kind: group, unused: forTasks},
	"services":                {unused: forTasks},
	"numa_domain_map":         {kind: group, unused: forTasks},
	"n_partitions":            {kind: count, unused: forTasks},
	"scattered":               {kind: truth, unused: forTasks},
	"new_session_per_task":    {kind: truth, unused: forTasks},
	"fake_resources":          {kind: truth, unused: forTasks},
	"network_interface":       {kind: text, unused: forAgent},
	"python_interpreter":      {kind: text, unused: forPython},
	"python_dist":             {kind: text, unused: forPython},
	"virtenv":                 {kind: text, unused: forPython},
	"virtenv_mode":            {kind: text, unused: forPython},
	"virtenv_dist":            {kind: text, unused: forPython},
	"global_virtenv":          {kind: text, unused: forPython},
	"rp_version":              {kind: text, unused: forPython},
	"bootstrapper":            {kind: text, unused: forPython},
	"pilot_agent":             {kind: text, unused: forPython},
	"pilot_agent_worker":      {kind: text, unused: forPython},
	"stage_cacerts":           {kind: truth, unused: asStaged},
	"forward_tunnel_endpoint": {kind: text, unused: forMongo},
	"tunnel_bind_device":      {kind: text, unused: forMongo},
	"agent_mongodb_endpoint":  {kind: text, unused: forMongo},
}

// architecture are the keys of system_architecture.
var architecture = map[string]key{
	"smt":           {kind: count},
	"options":       {kind: texts},
	"blocked_cores": {kind: counts},
	"blocked_gpus":  {kind: counts},
	"exclusive":     {kind: truth},
	"gpu":           {kind: text},
	"oversubscribe": {kind: truth},
}

// Unused says why nothing reads a key that Config.Carried holds.
func Unused(name string) string {
	if k, known := keys[name]; known {
		return k.unused
	}
	return "not known to this version"
}
