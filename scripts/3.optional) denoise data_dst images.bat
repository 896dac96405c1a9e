@echo off
rem 3.optional) denoise data_dst images (written by make_launchers.py)
call "%~dp0env.bat"
if errorlevel 1 exit /b 1
"%DFL_PYTHON_EXE%" "%DFL_ROOT%\main.py" videoed denoise-image-sequence --input-dir "%DFL_WORKSPACE%\data_dst" %*
set DFL_EXIT=%errorlevel%
:end
if not defined DFL_NO_PAUSE pause
exit /b %DFL_EXIT%
