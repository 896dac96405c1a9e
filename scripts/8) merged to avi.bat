@echo off
rem 8) merged to avi (written by make_launchers.py)
call "%~dp0env.bat"
if errorlevel 1 exit /b 1
"%DFL_PYTHON_EXE%" "%DFL_ROOT%\main.py" videoed video-from-sequence --input-dir "%DFL_WORKSPACE%\data_dst\merged" --output-file "%DFL_WORKSPACE%\result.avi" --reference-file "%DFL_WORKSPACE%\data_dst.*" --include-audio %*
set DFL_EXIT=%errorlevel%
if not %DFL_EXIT%==0 goto end
"%DFL_PYTHON_EXE%" "%DFL_ROOT%\main.py" videoed video-from-sequence --input-dir "%DFL_WORKSPACE%\data_dst\merged_mask" --output-file "%DFL_WORKSPACE%\result_mask.avi" --reference-file "%DFL_WORKSPACE%\data_dst.*" --lossless
if errorlevel 1 set DFL_EXIT=%errorlevel%
:end
if not defined DFL_NO_PAUSE pause
exit /b %DFL_EXIT%
