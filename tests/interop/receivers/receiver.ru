# A webhook receiver as a Rack application, for Puma. RECORD names the file it notes requests in.
# /hook is read and answered with 204, /refuse is answered with 413 before the application reads
# the body.
record = File.open(ENV["RECORD"], File::WRONLY | File::APPEND | File::CREAT, 0o600)
record.sync = true

run lambda { |env|
  size = env["PATH_INFO"] == "/refuse" ? 0 : env["rack.input"].read.bytesize
  record.syswrite("#{env["HTTP_WEBHOOK_ID"]} #{env["PATH_INFO"]} #{size}\n")
  [env["PATH_INFO"] == "/refuse" ? 413 : 204, {}, []]
}
