package resource

// kind is what a key's value must be.
type kind uint8

const (
	kindAny          kind = iota // kept as it is
	kindLine                     // a string of one line
	kindText                     // a string
	kindCount                    // a whole number, or a string of one as in 2015
	kindBool                     // true or false, or a string of one as in 2015
	kindRuntime                  // a runtime, see pilot.ParseRuntime
	kindTexts                    // a list of strings
	kindCounts                   // a list of whole numbers
	kindObject                   // an object, whose keys may have kinds too
	kindTextOrObject             // a name, or an object in place
	kindEndpoint                 // a URL for ParseEndpoint
)

// isText says that an empty string is a value.
func (k kind) isText() bool {
	return k == kindLine || k == kindText || k == kindTextOrObject || k == kindAny
}

// kindNames end the sentence "must be …".
var kindNames = [...]string{
	kindAny: "anything", kindLine: "a string of one line", kindText: "a string",
	kindCount: "a whole number from 0 to 16777216", kindBool: "true or false",
	kindRuntime: "a runtime: minutes (90), 1h30m or 01:30:00", kindTexts: "a list of strings",
	kindCounts: "a list of whole numbers", kindObject: "an object",
	kindTextOrObject: "a string or an object", kindEndpoint: "a URL: <system>[+<transport>]://<host>[:<port>]/[?<options>]",
}

// keySpec is what is known of a key.
type keySpec struct {
	kind   kind
	unused string             // why nothing here reads it; empty: it has a field in Config
	nested map[string]keySpec // of the object's keys; nil: not known
}

// Reasons for carrying a key that nothing reads.
const (
	reasonTasks   = "about tasks inside a pilot; Flightlog runs the pilot's payload only"
	reasonAgent   = "about RADICAL-Pilot's agent; Flightlog's has no such part"
	reasonPython  = "about installing RADICAL-Pilot's agent; Flightlog's is one static binary"
	reasonMongo   = "about reaching RADICAL-Pilot's database; agents here speak NATS"
	reasonStaging = "about staging for RADICAL-Pilot's agent; nothing is downloaded on a node here"
	reasonSAGA    = "about RADICAL-SAGA, which Flightlog does without"
	reasonTests   = "about what RADICAL-Pilot tests; whoever names the resource gets it"
)

// keys are those of a resource, and of its access schemas, which may say all
// that a resource says. Sources: RADICAL-Pilot's files of v0.35 and v1.103, its
// list of typed defaults (resource_config.py), and what the files of other
// years have besides; max_runtime, default_project, policy, agent and agent_dir are ours.
var keys = map[string]keySpec{
	"description":            {kind: kindText},
	"notes":                  {kind: kindText},
	"job_manager_endpoint":   {kind: kindEndpoint},
	"job_manager_hop":        {kind: kindEndpoint},
	"filesystem_endpoint":    {kind: kindEndpoint},
	"default_queue":          {kind: kindLine},
	"default_project":        {kind: kindLine},
	"default_remote_workdir": {kind: kindLine},
	"mandatory_args":         {kind: kindTexts},
	"valid_roots":            {kind: kindTexts},
	"max_runtime":            {kind: kindRuntime},
	"cores_per_node":         {kind: kindCount},
	"gpus_per_node":          {kind: kindCount},
	"mem_per_node":           {kind: kindCount},
	"lfs_path_per_node":      {kind: kindLine},
	"lfs_size_per_node":      {kind: kindCount},
	"system_architecture":    {kind: kindObject, nested: architecture},
	"policy":                 {kind: kindObject, nested: policyKeys},
	"resource_manager":       {kind: kindLine},
	"spmd_variation":         {kind: kindLine},
	"pre_bootstrap":          {kind: kindTexts},
	"pre_bootstrap_0":        {kind: kindTexts},
	"pre_bootstrap_1":        {kind: kindTexts},
	"pre_bootstrap_2":        {kind: kindTexts},
	"agent":                  {kind: kindLine},
	"agent_dir":              {kind: kindLine},

	"agent_config":            {kind: kindTextOrObject, unused: reasonAgent},
	"agent_type":              {kind: kindLine, unused: reasonAgent},
	"agent_scheduler":         {kind: kindLine, unused: reasonTasks},
	"agent_spawner":           {kind: kindLine, unused: reasonTasks},
	"task_launch_method":      {kind: kindLine, unused: reasonTasks},
	"mpi_launch_method":       {kind: kindLine, unused: reasonTasks},
	"launch_methods":          {kind: kindObject, unused: reasonTasks, nested: map[string]keySpec{"order": {kind: kindTexts}}},
	"task_pre_launch":         {kind: kindTexts, unused: reasonTasks},
	"task_pre_exec":           {kind: kindTexts, unused: reasonTasks},
	"task_post_launch":        {kind: kindTexts, unused: reasonTasks},
	"task_post_exec":          {kind: kindTexts, unused: reasonTasks},
	"task_tmp":                {kind: kindLine, unused: reasonTasks},
	"task_launch_mode":        {unused: reasonTasks}, // 2013
	"agent_launch_method":     {unused: reasonAgent}, // this and the following: 2016 to 2021
	"cu_tmp":                  {unused: reasonTasks},
	"cu_pre_exec":             {unused: reasonTasks},
	"cu_post_exec":            {unused: reasonTasks},
	"export_to_cu":            {unused: reasonTasks},
	"sockets_per_node":        {unused: reasonTasks},
	"lfs_per_node":            {unused: reasonTasks},
	"shared_filesystem":       {unused: reasonAgent},
	"pilot_agent_options":     {unused: reasonAgent},
	"saga_jd_supplement":      {unused: reasonSAGA},
	"enabled":                 {unused: reasonTests},
	"health_check":            {unused: reasonTests},
	"raptor":                  {kind: kindObject, unused: reasonTasks},
	"services":                {unused: reasonTasks},
	"numa_domain_map":         {kind: kindObject, unused: reasonTasks},
	"n_partitions":            {kind: kindCount, unused: reasonTasks},
	"scattered":               {kind: kindBool, unused: reasonTasks},
	"new_session_per_task":    {kind: kindBool, unused: reasonTasks},
	"fake_resources":          {kind: kindBool, unused: reasonTasks},
	"network_interface":       {kind: kindLine, unused: reasonAgent},
	"python_interpreter":      {kind: kindLine, unused: reasonPython},
	"python_dist":             {kind: kindLine, unused: reasonPython},
	"virtenv":                 {kind: kindLine, unused: reasonPython},
	"virtenv_mode":            {kind: kindLine, unused: reasonPython},
	"virtenv_dist":            {kind: kindLine, unused: reasonPython},
	"global_virtenv":          {kind: kindLine, unused: reasonPython},
	"rp_version":              {kind: kindLine, unused: reasonPython},
	"bootstrapper":            {kind: kindLine, unused: reasonPython},
	"pilot_agent":             {kind: kindLine, unused: reasonPython},
	"pilot_agent_worker":      {kind: kindLine, unused: reasonPython},
	"stage_cacerts":           {kind: kindBool, unused: reasonStaging},
	"forward_tunnel_endpoint": {kind: kindLine, unused: reasonMongo},
	"tunnel_bind_device":      {kind: kindLine, unused: reasonMongo},
	"agent_mongodb_endpoint":  {kind: kindLine, unused: reasonMongo},
}

// architecture are the keys of system_architecture.
var architecture = map[string]keySpec{
	"smt":           {kind: kindCount},
	"options":       {kind: kindTexts},
	"blocked_cores": {kind: kindCounts},
	"blocked_gpus":  {kind: kindCounts},
	"exclusive":     {kind: kindBool},
	"gpu":           {kind: kindLine},
	"oversubscribe": {kind: kindBool},
}

// UnusedReason says why nothing reads a key that Config.Carried holds.
func UnusedReason(name string) string {
	if k, known := keys[name]; known {
		return k.unused
	}
	return "not known to this version"
}
