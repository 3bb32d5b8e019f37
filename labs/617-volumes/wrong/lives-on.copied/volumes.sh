cp /volumes/db/* $ROOT/data/ 2>/dev/null
mount -o bind /host/conf $ROOT/conf
mount -o remount,bind,ro $ROOT/conf
